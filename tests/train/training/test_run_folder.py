"""Files of a run are there whole or not at all."""

import pytest

from edge.errors import OutputError
from edge.files import atomic_write


def test_a_disk_that_fills_leaves_what_was_there(small_disk):
    path = small_disk / "a.bin"
    atomic_write(path, lambda partial: partial.write_bytes(b"whole"))
    with pytest.raises(OutputError, match=r"cannot write .*a\.bin: No space left on device"):
        atomic_write(path, lambda partial: partial.write_bytes(bytes(1 << 20)))
    assert [each.name for each in small_disk.iterdir()] == ["a.bin"]
    assert path.read_bytes() == b"whole"


def test_who_is_interrupted_leaves_nothing_half_written(tmp_path):
    def write(partial):
        partial.write_bytes(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        atomic_write(tmp_path / "a.bin", write)
    assert list(tmp_path.iterdir()) == []
