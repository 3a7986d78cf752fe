"""Scenes are read from archive and folder alike, and damaged ones are refused in one line."""

import io
import os
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.errors import DataError
from train.data.scenes import load_scenes

DATA = os.environ.get("EMOTINY_DATA", "")
HEADER = "file,split,source,kind,x,y,w,h,face_x,face_y,face_w,face_h,score,roll,yaw,ignore,haar"
FACE = "face/a.jpg,train,set:a.jpg,face,10.5,20,30,30,12,20,26,32,0.93,-8.4,0.38,0,0"
SMALL = "face/a.jpg,train,set:a.jpg,face,-4,60,9,9,-3,60,8,10,0.5,0,0,1,0"
NONE = "none/b.jpg,val,set:b.jpg,none,,,,,,,,,,,,,2"


def jpeg(width=100, height=80):
    return cv2.imencode(".jpg", np.full((height, width), 90, np.uint8))[1].tobytes()


FILES = {"face/a.jpg": jpeg(), "none/b.jpg": jpeg(60, 40)}


def archive(path, rows, files=FILES, prefix="scenes/", header=HEADER):
    content = {"scenes.csv": "\n".join([header, *rows, ""]).encode(), **files}
    with tarfile.open(path, "w") as tar:
        for name, data in content.items():
            member = tarfile.TarInfo(prefix + name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def test_images_have_their_faces(tmp_path):
    scenes = load_scenes(archive(tmp_path / "scenes.tar", [FACE, SMALL, NONE])).scenes
    one, other = scenes
    assert (one.file, one.split, one.kind, one.source) == ("face/a.jpg", "train", "face", "set:a.jpg")
    np.testing.assert_array_equal(one.faces.boxes, np.array([[10.5, 20, 30, 30], [-4, 60, 9, 9]]))
    np.testing.assert_allclose(one.faces.roll, np.array([-8.4, 0]), rtol=1e-6)
    np.testing.assert_allclose(one.faces.yaw, np.array([0.38, 0]), rtol=1e-6)
    assert one.faces.ignore.tolist() == [False, True]
    assert one.image().shape == (80, 100)
    assert (other.kind, other.faces.boxes.shape) == ("none", (0, 4))


@pytest.mark.parametrize("prefix", ["", "./", "scenes/", "./deep/scenes/"])
def test_a_folder_gives_the_same_as_its_archive(tmp_path, prefix):
    path = archive(tmp_path / "scenes.tar", [FACE, NONE], prefix=prefix)
    with tarfile.open(path) as tar:
        tar.extractall(tmp_path / "out", filter="data")
    from_archive, from_folder = load_scenes(path).scenes, load_scenes(tmp_path / "out").scenes
    assert [scene.file for scene in from_archive] == [scene.file for scene in from_folder]
    assert [scene.encoded for scene in from_archive] == [scene.encoded for scene in from_folder]


def test_splits_are_the_tables_own(tmp_path):
    scenes = load_scenes(archive(tmp_path / "scenes.tar", [FACE, NONE]))
    assert [scene.file for scene in scenes.part("train")] == ["face/a.jpg"]
    assert [scene.file for scene in scenes.part("val")] == ["none/b.jpg"]


@pytest.mark.parametrize(
    ("rows", "files", "message"),
    [
        ([FACE.replace("10.5", "100")], FILES, "a box lies outside of the image of 100x80"),
        ([FACE.replace("10.5,20,30,30", "10,-40,30,30")], FILES, "a box lies outside of the image"),
        ([FACE.replace("30,30", "30,0")], FILES, "a box lies outside of the image"),
        ([FACE.replace("10.5", "nan")], FILES, "x is nan"),
        ([FACE.replace("10.5", "left")], FILES, "could not convert"),
        ([FACE.replace("train", "dev")], FILES, "split 'dev' and kind 'face': not among those known"),
        ([FACE, SMALL.replace("train", "val")], FILES, "differ in split, kind or source"),
        ([NONE.replace("none,,", "face,,")], FILES, "0 boxes in an image of kind face"),
        ([FACE], {}, "no such file in the dataset"),
        ([FACE], {"face/a.jpg": b"x"}, "cannot be decoded as a picture"),
    ],
)
def test_damaged_rows_are_told(tmp_path, rows, files, message):
    with pytest.raises(DataError, match=message) as caught:
        load_scenes(archive(tmp_path / "scenes.tar", rows, files))
    assert "\n" not in str(caught.value)


def test_a_damaged_image_among_many_is_left_out(tmp_path):
    rows = [FACE.replace("a.jpg", f"{number}.jpg") for number in range(150)]
    files = {f"face/{number}.jpg": FILES["face/a.jpg"] for number in range(149)}
    scenes = load_scenes(archive(tmp_path / "scenes.tar", rows, files))
    assert len(scenes.scenes) == 149
    assert [bad.where for bad in scenes.bad_rows] == ["face/149.jpg"]


def test_another_table_is_refused(tmp_path):
    header = HEADER.replace("yaw", "pitch")
    with pytest.raises(DataError, match=r"scenes\.csv: unknown columns: pitch; missing: yaw"):
        load_scenes(archive(tmp_path / "scenes.tar", [FACE], header=header))


@pytest.mark.parametrize("rows", [[], ["\xff"]])
def test_a_table_without_rows_is_refused(tmp_path, rows):
    with pytest.raises(DataError):
        load_scenes(archive(tmp_path / "scenes.tar", rows))


def test_a_truncated_archive_is_told(tmp_path):
    path = archive(tmp_path / "scenes.tar", [FACE, NONE])
    path.write_bytes(path.read_bytes()[:1800])
    with pytest.raises(DataError, match=r"scenes\.tar: a damaged or truncated archive"):
        load_scenes(path)


def test_what_is_not_there_is_told(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        load_scenes(tmp_path / "none.tar")
    with pytest.raises(DataError, match=r"no scenes\.csv"):
        load_scenes(tmp_path)


@pytest.mark.data
@pytest.mark.skipif(
    not Path(DATA, "scenes.tar").is_file(), reason="EMOTINY_DATA names no folder with scenes.tar"
)
def test_the_real_set_is_whole():
    scenes = load_scenes(Path(DATA, "scenes.tar"))
    assert (len(scenes.scenes), scenes.bad_rows) == (3811, ())
    assert sum(scene.kind == "face" for scene in scenes.scenes) == 1997
    assert sum(int((~scene.faces.ignore).sum()) for scene in scenes.scenes) == 4527
