"""Images are read in the same order from a folder and from an archive of it."""

import tarfile

import pytest

from edge.errors import DataError
from train.data.archives import find_images, read_images

FILES = {
    "a/2.png": b"two",
    "a/10.PNG": b"ten",
    "b/1.png": b"one",
    "a/._1.png": b"added by macOS",
    "a/readme.txt": b"not an image",
}


@pytest.fixture
def folder(tmp_path):
    for name, content in FILES.items():
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "set" / name).write_bytes(content)
    return tmp_path / "set"


def test_images_are_sorted_by_name_in_either_form(folder):
    archive = folder.with_suffix(".tar.gz")
    with tarfile.open(archive, "w:gz") as file:
        file.add(folder, "set")
    expected = [("1.png", b"one"), ("10.PNG", b"ten"), ("2.png", b"two")]
    for path in (folder, archive):
        assert [(name.name, content) for name, content in read_images(path, ".png")] == expected


def test_only_files_are_images(folder):
    (folder / "0.png").mkdir()
    assert [path.name for path in find_images(folder, ".png")] == ["1.png", "10.PNG", "2.png"]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"none\.tar: cannot be read"):
        list(read_images(tmp_path / "none.tar", ".png"))


def test_a_damaged_archive_is_named(tmp_path):
    (tmp_path / "set.tar").write_bytes(b"no archive")
    with pytest.raises(DataError, match=r"set\.tar: a damaged or truncated archive"):
        list(read_images(tmp_path / "set.tar", ".png"))
