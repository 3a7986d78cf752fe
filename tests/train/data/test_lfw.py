"""LFW in the form of its archive and of its folder."""

import io
import os
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.errors import DataError
from train.data.lfw import load_lfw

DATA = os.environ.get("EMOTINY_DATA", "")


def jpg(level=90, side=96):
    return cv2.imencode(".jpg", np.full((side, side), level, np.uint8))[1].tobytes()


def archive(path, names):
    with tarfile.open(path, "w") as tar:
        for number, (name, content) in enumerate(names.items()):
            data = content or jpg(60 + number)
            member = tarfile.TarInfo(f"lfw/{name}")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


NAMES = {
    f"{number % 2}_Person_{chr(65 + number)}_{image:04}.jpg": None for number in range(26) for image in (1, 2)
}


def test_gender_and_person_are_read_from_the_name(tmp_path):
    data = load_lfw(archive(tmp_path / "lfw.tar", NAMES))
    assert len(data) == 52
    assert data.images.shape == (52, 96, 96)
    assert data.label_names == ("male", "female")
    assert data.boxes is None
    for name, label in zip(data.ids, data.labels, strict=True):
        assert int(name[0]) == label


def test_a_person_is_in_one_split(tmp_path):
    data = load_lfw(archive(tmp_path / "lfw.tar", NAMES))
    assert set(data.splits) == {"train", "val"}
    persons = [name.split("_", 1)[1].rsplit("_", 1)[0] for name in data.ids]
    for person in set(persons):
        rows = [row for row, each in enumerate(persons) if each == person]
        assert len({data.splits[row] for row in rows}) == 1
        assert len({data.attributes["subject"][row] for row in rows}) == 1
    assert len(set(data.attributes["subject"])) == 26


def test_the_split_does_not_depend_on_who_else_is_there(tmp_path):
    whole = load_lfw(archive(tmp_path / "lfw.tar", NAMES))
    part = load_lfw(archive(tmp_path / "part.tar", dict(list(NAMES.items())[20:])))
    of_whole = dict(zip(whole.ids, whole.splits, strict=True))
    assert all(of_whole[name] == split for name, split in zip(part.ids, part.splits, strict=True))


def test_a_folder_gives_the_same_and_other_sizes_are_resized(tmp_path):
    path = archive(tmp_path / "lfw.tar", {**NAMES, "0_Large_Face_0001.jpg": jpg(80, 200)})
    with tarfile.open(path) as tar:
        tar.extractall(tmp_path / "out", filter="data")
    from_archive, from_folder = load_lfw(path), load_lfw(tmp_path / "out")
    assert from_archive.fingerprint() == from_folder.fingerprint()
    assert from_archive.images.shape == (53, 96, 96)


def test_damaged_files_are_left_out_or_refused(tmp_path):
    many = {f"0_Somebody_Else_{number:04}.jpg": None for number in range(120)}
    path = archive(tmp_path / "lfw.tar", {**many, "2_Wrong_Gender_0001.jpg": None})
    (bad,) = load_lfw(path).bad_rows
    assert bad.where == "2_Wrong_Gender_0001.jpg"
    few = archive(tmp_path / "few.tar", {"0_A_B_0001.jpg": None, "0_C_D_0001.jpg": b"x"})
    with pytest.raises(DataError, match="LFW"):
        load_lfw(few)


@pytest.mark.data
@pytest.mark.skipif(not (Path(DATA) / "lfw.tar").exists(), reason="no lfw.tar in EMOTINY_DATA")
def test_the_real_dataset_has_its_numbers():
    data = load_lfw(Path(DATA) / "lfw.tar")
    assert len(data) == 5_686
    assert len(set(data.attributes["subject"])) == 3_688
    assert np.bincount(data.labels).tolist() == [4_190, 1_496]
