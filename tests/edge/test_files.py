"""Atomic writes: a file is there whole or not at all."""

import pytest

from edge.errors import OutputError
from edge.files import atomic_write


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
