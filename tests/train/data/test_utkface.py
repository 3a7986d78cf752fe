"""UTKFace as an archive and as a folder, intact and damaged."""

import gzip
import io
import tarfile

import cv2
import numpy as np
import pytest

from edge.errors import DataError
from train.data import load_utkface


def names(count=220):
    return [
        f"{number % 90 + 1}_{number % 2}_{number % 5}_2017010{number:010d}.jpg.chip.jpg"
        for number in range(count)
    ]


def jpg(number, side=200):
    image = np.full((side, side, 3), number % 256, np.uint8)
    return cv2.imencode(".jpg", image)[1].tobytes()


def write_tar(path, extra=()):
    with tarfile.open(path, "w") as archive:
        for number, name in enumerate(names()):
            add(archive, name, jpg(number))
        for name, content in extra:
            add(archive, name, content)
    return path


def add(archive, name, content):
    item = tarfile.TarInfo(f"UTKFace/{name}")
    item.size = len(content)
    archive.addfile(item, io.BytesIO(content))


def test_archive_has_labels_attributes_and_splits(tmp_path):
    data = load_utkface(write_tar(tmp_path / "UTKFace.tar"))
    assert data.images.shape == (220, 96, 96)
    assert data.label_names == ("male", "female")
    row = data.ids.index(names()[3])
    assert (data.labels[row], data.attributes["age"][row], data.attributes["ethnicity"][row]) == (1, 4, 3)
    assert set(data.splits) == {"train", "val", "test"}


def test_splits_do_not_depend_on_form_or_order(tmp_path):
    tar = load_utkface(write_tar(tmp_path / "UTKFace.tar"))
    folder = tmp_path / "UTKFace"
    folder.mkdir()
    for number, name in reversed(list(enumerate(names()))):
        (folder / name).write_bytes(jpg(number))
    assert load_utkface(folder).fingerprint() == tar.fingerprint()


def test_files_keep_their_split_in_later_versions(tmp_path):
    # Trained networks were validated and tested on these files.
    data = load_utkface(write_tar(tmp_path / "UTKFace.tar"))
    splits = dict(zip(data.ids, data.splits.tolist(), strict=True))
    assert "".join(splits[name][:2] for name in names(20)) == "vatrtetrtrtrtrtrtrtrtrtrtrvatrtrtrtrtrtr"


def test_copies_and_files_of_macos_add_no_rows_in_either_form(tmp_path):
    extra = {f"again/{names()[3]}": jpg(77), f"._{names()[4]}": b"x", f"again/._{names()[5]}": b"x"}
    tar = load_utkface(write_tar(tmp_path / "UTKFace.tar", extra.items()))
    with tarfile.open(tmp_path / "UTKFace.tar") as archive:
        archive.extractall(tmp_path, filter="data")
    folder = load_utkface(tmp_path / "UTKFace")
    assert tar.ids == folder.ids == tuple(sorted(names()))
    assert tar.bad_rows == folder.bad_rows == ()
    assert tar.fingerprint() == folder.fingerprint()


def test_a_link_to_a_file_outside_the_archive_is_refused(tmp_path):
    with tarfile.open(write_tar(tmp_path / "UTKFace.tar"), "a") as archive:
        item = tarfile.TarInfo(f"UTKFace/{names(221)[-1]}")
        item.type, item.linkname = tarfile.SYMTYPE, "elsewhere.jpg"
        archive.addfile(item)
    with pytest.raises(DataError, match="damaged or truncated"):
        load_utkface(tmp_path / "UTKFace.tar")


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("39_1_20170116174525125.jpg.chip.jpg", jpg(1), "not <age>_<gender"),
        ("39_2_0_20170116174525125.jpg.chip.jpg", jpg(1), "not <age>_<gender"),
        ("39_1_0_20170116174525125.jpg.chip.jpg", b"no picture", "cannot be decoded"),
        ("39_1_0_20170116174525125.jpg.chip.jpg", b"", "cannot be decoded"),
        ("39_1_0_20170116174525125.jpg.chip.jpg", jpg(1)[:300], "cannot be decoded"),
        ("39_1_5_20170116174525125.jpg.chip.jpg", jpg(1), "not <age>_<gender"),
        ("-1_1_0_20170116174525125.jpg.chip.jpg", jpg(1), "not <age>_<gender"),
        ("39_1_0_.jpg.chip.jpg", jpg(1), "not <age>_<gender"),
        ("portrait.jpg", jpg(1), "not <age>_<gender"),
    ],
)
def test_bad_files_are_left_out_and_reported(tmp_path, name, content, why):
    data = load_utkface(write_tar(tmp_path / "UTKFace.tar", [(name, content)]))
    assert len(data) == 220
    assert [(row.where, why in row.why) for row in data.bad_rows] == [(name, True)]


def test_truncated_archive(tmp_path):
    path = write_tar(tmp_path / "UTKFace.tar")
    path.write_bytes(path.read_bytes()[:300_000])
    with pytest.raises(DataError, match="damaged or truncated"):
        load_utkface(path)


def test_many_bad_files_are_refused(tmp_path):
    extra = [(f"{number}_9_0_2017.jpg", jpg(1)) for number in range(3)]
    with pytest.raises(DataError, match="3 of 223 rows are bad, more than 1%"):
        load_utkface(write_tar(tmp_path / "UTKFace.tar", extra))


@pytest.mark.parametrize("share", [0.0, 0.1, 0.9])
def test_truncated_compressed_archive(tmp_path, share):
    content = gzip.compress(write_tar(tmp_path / "UTKFace.tar").read_bytes())
    path = tmp_path / "UTKFace.tar.gz"
    path.write_bytes(content)
    assert len(load_utkface(path)) == 220
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(DataError, match="damaged or truncated"):
        load_utkface(path)


def test_archive_without_images(tmp_path):
    with tarfile.open(tmp_path / "UTKFace.tar", "w") as archive:
        add(archive, "readme.txt", b"x")
    with pytest.raises(DataError, match="no usable row"):
        load_utkface(tmp_path / "UTKFace.tar")


def test_folder_without_images(tmp_path):
    with pytest.raises(DataError, match="no usable row"):
        load_utkface(tmp_path)
