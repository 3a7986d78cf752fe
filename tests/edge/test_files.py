"""Atomic writes, where a file is there whole or not at all, and reads of what may be anything."""

import os
import socket
from pathlib import Path

import pytest

from edge.errors import OutputError
from edge.files import atomic_write, open_regular_file, read_regular


def test_a_full_disk_leaves_the_older_file(small_disk):
    path = small_disk / "a.bin"
    atomic_write(path, lambda partial: partial.write_bytes(b"old"))
    with pytest.raises(OutputError, match=r"cannot write .*a\.bin: No space left on device"):
        atomic_write(path, lambda partial: partial.write_bytes(bytes(1 << 20)))
    assert [file.name for file in small_disk.iterdir()] == ["a.bin"]
    assert path.read_bytes() == b"old"


def test_an_interruption_leaves_nothing_behind(tmp_path):
    def write(partial):
        partial.write_bytes(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        atomic_write(tmp_path / "a.bin", write)
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_read_up_to_its_limit(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"x" * 2048)
    assert read_regular(path, 2048) == b"x" * 2048
    with pytest.raises(OSError, match="larger than 1 kB"):
        read_regular(path, 2047)
    assert read_regular(Path(os.devnull), 2048) == b""
    with pytest.raises(FileNotFoundError):
        read_regular(tmp_path / "b.txt", 2048)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("pipe", "a pipe; expected a regular file"),
        ("socket", "a socket; expected a regular file"),
        ("device", "a device; expected a regular file"),
        ("link to a device", "a device; expected a regular file"),
        ("folder", "Is a directory"),
    ],
)
def test_what_has_no_end_or_no_content_is_not_opened(tmp_path, kind, reason):
    path = tmp_path / "a"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
    elif kind == "device":
        path = Path("/dev/zero")
    elif kind == "link to a device":
        path.symlink_to("/dev/zero")
    else:
        path.mkdir()
    for read in (lambda: read_regular(path, 1 << 20), lambda: open_regular_file(path)):
        with pytest.raises(OSError, match=reason) as caught:
            read()
        assert caught.value.strerror == reason
        assert caught.value.filename == str(path)


def test_a_file_that_became_a_pipe_after_the_first_check_is_not_waited_for(tmp_path, monkeypatch):
    path = tmp_path / "a"
    path.touch()
    status = path.stat()
    path.unlink()
    os.mkfifo(path)
    monkeypatch.setattr(Path, "stat", lambda self: status)
    with pytest.raises(OSError, match="a pipe; expected a regular file"):
        open_regular_file(path)


@pytest.mark.parametrize("name", ["/proc/self/status", "/proc/kmsg"])
def test_a_file_of_the_kernel_is_not_read(name):
    if not os.access(name, os.R_OK):
        pytest.skip(f"only root may read {name}")
    with pytest.raises(OSError, match="made by the system; expected a regular file"):
        read_regular(Path(name), 1 << 20)
