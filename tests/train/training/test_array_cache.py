"""Arrays in files: made once, by one process, and gone on with where their making was broken off."""

import multiprocessing
import resource
import signal
import time

import numpy as np
import pytest

from edge.errors import OutputError

pytestmark = pytest.mark.train

from train.training.array_cache import cached_array  # noqa: E402

_SHAPE = (5, 3, 4)


def piece(number):
    return np.full(_SHAPE[1:], number, dtype=np.float32)


def array(path, make=piece):
    return cached_array(path, _SHAPE, np.float32, make, "making")


def making(path, log, make=piece):
    """Makes the array and notes in a file which pieces were asked for."""

    def noted(number):
        with log.open("a") as text:
            text.write(f"{number}")
        return make(number)

    return array(path, noted)


def test_made_once_and_read_as_numpy_writes_it(tmp_path):
    path, log = tmp_path / "new" / "a.npy", tmp_path / "log"
    for _ in range(2):
        found = making(path, log)
    assert log.read_text() == "01234"
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, [piece(number) for number in range(5)])
    assert not found.flags.writeable
    np.save(tmp_path / "b.npy", found)
    assert (tmp_path / "b.npy").read_bytes() == path.read_bytes()
    assert [each.name for each in path.parent.iterdir()] == ["a.npy"]


@pytest.mark.parametrize(("broken_at", "again"), [(0, "01234"), (1, "01234"), (2, "1234"), (4, "34")])
def test_broken_off_it_goes_on_from_the_last_piece_that_is_surely_whole(tmp_path, broken_at, again):
    path, log = tmp_path / "a.npy", tmp_path / "log"

    def make(number):
        if number == broken_at:
            raise KeyboardInterrupt
        return piece(number)

    with pytest.raises(KeyboardInterrupt):
        array(path, make)
    assert not path.exists()
    partial = tmp_path / "partial-a.npy"
    content = bytearray(partial.read_bytes())
    if broken_at:  # as after a power cut: the right length, but nothing in the last piece
        content[-piece(0).nbytes :] = bytes(piece(0).nbytes)
    partial.write_bytes(content + b"half a piece"[: 5 * broken_at])
    found = making(path, log)
    assert log.read_text() == again
    np.testing.assert_array_equal(found, [piece(number) for number in range(5)])
    assert not partial.exists()


def _slowly(path, log):
    def make(number):
        time.sleep(0.2)
        return piece(number)

    making(path, log, make)


def test_two_processes_make_it_once_and_a_killed_one_is_followed(tmp_path):
    path, log = tmp_path / "a.npy", tmp_path / "log"
    start = multiprocessing.get_context("spawn").Process
    pair = [start(target=_slowly, args=(path, log)) for _ in range(2)]
    for each in pair:
        each.start()
    for each in pair:
        each.join(60)
    assert [each.exitcode for each in pair] == [0, 0]
    assert log.read_text() == "01234"

    path.unlink()
    log.unlink()
    killed = start(target=_slowly, args=(path, log))
    killed.start()
    deadline = time.monotonic() + 60
    while not (log.exists() and len(log.read_text()) >= 4):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    killed.kill()
    killed.join(60)
    assert killed.exitcode == -signal.SIGKILL
    log.unlink()
    np.testing.assert_array_equal(making(path, log), [piece(number) for number in range(5)])
    assert "0" not in log.read_text()


def _without_room(path):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))
    with pytest.raises(OutputError, match=r"cannot write .*a\.npy: File too large"):
        array(path)


def test_where_there_is_no_room_one_line_says_so_and_what_was_made_is_kept(tmp_path):
    process = multiprocessing.get_context("spawn").Process(target=_without_room, args=(tmp_path / "a.npy",))
    process.start()
    process.join(60)
    assert process.exitcode == 0
    log = tmp_path / "log"
    making(tmp_path / "a.npy", log)
    assert log.read_text() == "234"

    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"cannot write .*: File exists"):
        array(tmp_path / "file" / "a.npy")


def test_what_making_meets_is_not_taken_for_a_full_disk(tmp_path):
    def make(_):
        raise FileNotFoundError("no teacher")

    with pytest.raises(FileNotFoundError, match="no teacher"):
        array(tmp_path / "a.npy", make)
