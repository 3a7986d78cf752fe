"""Whether the clock was set, from the kernel and from systemd-timesyncd."""

import ctypes
import time

import pytest

from edge.system import clock


@pytest.mark.parametrize(
    ("kernel", "folder", "file", "state"),
    [
        (0, False, False, "synchronized"),
        (1, False, False, "synchronized"),  # a leap second is due
        (5, False, False, "unsynchronized"),
        (5, True, False, "unsynchronized"),
        (5, True, True, "synchronized"),  # a guest that asks timesyncd, or whose host knows
        (-1, False, False, "unknown"),  # a service that may not ask, on a machine with chrony
        (-1, True, False, "unsynchronized"),
        (-1, True, True, "synchronized"),
    ],
)
def test_what_the_kernel_and_timesyncd_say(tmp_path, kernel, folder, file, state):
    timesyncd = tmp_path / "timesync"
    if folder:
        timesyncd.mkdir()
    if file:
        (timesyncd / "synchronized").touch()
    assert clock.clock_state(lambda: kernel, timesyncd) == state


def test_the_kernel_is_asked_and_its_clock_stays_as_it_is(tmp_path):
    ahead_s = time.time() - time.monotonic()
    states = {clock.clock_state(timesyncd=tmp_path / "none") for _ in range(1000)}
    assert states <= {"synchronized", "unsynchronized"}  # an ordinary process may ask
    assert abs(time.time() - time.monotonic() - ahead_s) < 1


def test_a_system_without_that_call_is_unknown(tmp_path, monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    assert clock.clock_state(timesyncd=tmp_path / "none") == "unknown"
