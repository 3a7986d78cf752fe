"""Arrays in files: computed once, by one process, and resumed after an interruption."""

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


def row(index):
    return np.full(_SHAPE[1:], index, dtype=np.float32)


def array(path, compute=row):
    return cached_array(path, _SHAPE, np.float32, compute, "computing")


def logged_array(path, log, compute=row):
    """Returns the array, and logs in a file which rows were computed."""

    def logged(index):
        with log.open("a") as text:
            text.write(f"{index}")
        return compute(index)

    return array(path, logged)


def test_the_array_is_computed_once_into_a_file_as_numpy_writes_it(tmp_path):
    path, log = tmp_path / "new" / "a.npy", tmp_path / "log"
    for _ in range(2):
        found = logged_array(path, log)
    assert log.read_text() == "01234"
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, [row(index) for index in range(5)])
    assert not found.flags.writeable
    np.save(tmp_path / "b.npy", found)
    assert (tmp_path / "b.npy").read_bytes() == path.read_bytes()
    assert [file.name for file in path.parent.iterdir()] == ["a.npy"]


@pytest.mark.parametrize(("broken_at", "again"), [(0, "01234"), (1, "01234"), (2, "1234"), (4, "34")])
def test_an_interrupted_computation_is_resumed_from_the_last_row_that_is_surely_whole(
    tmp_path, broken_at, again
):
    path, log = tmp_path / "a.npy", tmp_path / "log"

    def interrupted(index):
        if index == broken_at:
            raise KeyboardInterrupt
        return row(index)

    with pytest.raises(KeyboardInterrupt):
        array(path, interrupted)
    assert not path.exists()
    partial = tmp_path / "partial-a.npy"
    content = bytearray(partial.read_bytes())
    if broken_at:  # as after a power cut: the last row has the right length, and holds nothing
        content[-row(0).nbytes :] = bytes(row(0).nbytes)
    partial.write_bytes(content + b"half of a row"[: 5 * broken_at])
    found = logged_array(path, log)
    assert log.read_text() == again
    np.testing.assert_array_equal(found, [row(index) for index in range(5)])
    assert not partial.exists()


def _slowly(path, log):
    def compute(index):
        time.sleep(0.2)
        return row(index)

    logged_array(path, log, compute)


def test_of_two_processes_one_computes_and_a_killed_one_is_continued(tmp_path):
    path, log = tmp_path / "a.npy", tmp_path / "log"
    start = multiprocessing.get_context("spawn").Process
    processes = [start(target=_slowly, args=(path, log)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
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
    np.testing.assert_array_equal(logged_array(path, log), [row(index) for index in range(5)])
    assert "0" not in log.read_text()


def _without_room(path):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))
    with pytest.raises(OutputError, match=r"cannot write .*a\.npy: File too large"):
        array(path)


def test_a_full_disk_is_an_error_and_the_rows_so_far_are_kept(tmp_path):
    process = multiprocessing.get_context("spawn").Process(target=_without_room, args=(tmp_path / "a.npy",))
    process.start()
    process.join(60)
    assert process.exitcode == 0
    log = tmp_path / "log"
    logged_array(tmp_path / "a.npy", log)
    assert log.read_text() == "234"

    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"cannot write .*: File exists"):
        array(tmp_path / "file" / "a.npy")


def test_errors_of_the_computation_are_not_taken_for_a_full_disk(tmp_path):
    def compute(_):
        raise FileNotFoundError("no teacher")

    with pytest.raises(FileNotFoundError, match="no teacher"):
        array(tmp_path / "a.npy", compute)
