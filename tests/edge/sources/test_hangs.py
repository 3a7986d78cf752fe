"""Reads that hang: which of them end a run, and what is logged of them."""

from __future__ import annotations

import contextlib
import logging
import subprocess
import sys
from collections.abc import Callable
from itertools import islice

import numpy as np
import pytest

from edge.errors import CameraError
from edge.sources.auto import AutoCamera
from edge.sources.camera import Camera
from edge.sources.reconnect import ReconnectingCamera
from edge.sources.replay import ReplayCamera, Step
from tests.support.cameras import LIMIT_S, Clock, Stall, StoppedClock, camera_of, join_readers

GRAY = np.zeros((48, 64), np.uint8)


@pytest.fixture(autouse=True)
def _short_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.sources.reconnect.TICK_S", 0.0)


def absent() -> Camera:
    raise CameraError("/dev/video0: no such device")


def opening(first: Callable[[], Camera], *later: Callable[[], Camera]) -> Callable[[], Camera]:
    """Opens the cameras in turn; after the last one the device is busy."""
    openers = [first, *later]

    def open_camera() -> Camera:
        if openers:
            return openers.pop(0)()
        raise CameraError("camera: busy")

    return open_camera


def test_a_read_that_stalls_for_ever_ends_the_run(stall: Stall) -> None:
    """libcamera can hang for good, and then keeps the camera from being opened again."""
    clock = Clock()
    camera = ReconnectingCamera("camera", opening(lambda: camera_of(GRAY, stall, silence_s=0.1)), clock=clock)
    stream = iter(camera)
    with pytest.raises(CameraError, match="camera: busy; a read has hung for 60 s: only a new process"):
        for _ in islice(stream, 2000):
            pass
    assert clock.now_s > 60


def test_a_read_that_returns_after_all_ends_nothing(stall: Stall) -> None:
    camera = ReconnectingCamera(
        "camera", opening(lambda: camera_of(GRAY, stall, silence_s=0.1)), clock=Clock()
    )
    stream = iter(camera)
    while not camera.is_down:
        next(stream)
    stall.release.set()
    join_readers()
    assert all(frame is None for frame in islice(stream, 500))


def test_the_hang_of_one_camera_does_not_end_the_run_of_another(stall: Stall) -> None:
    other = camera_of(stall, name="other", first_s=0.1)
    assert stall.reached.wait(LIMIT_S)
    clock = StoppedClock()
    openings = opening(absent, absent, lambda: ReplayCamera([GRAY]))
    camera = ReconnectingCamera("/dev/video0", openings, clock=clock)
    stream = iter(camera)
    other.close()
    assert other.is_hung
    assert next(stream) is None
    for _ in range(10):
        clock.now_s += 61
        if (frame := next(stream)) is not None:
            break
    assert frame is not None


def test_a_candidate_that_stalls_does_not_end_the_run_of_the_camera_that_auto_chose(stall: Stall) -> None:
    clock = StoppedClock()

    def auto() -> Camera:
        return AutoCamera(
            [lambda: camera_of(stall, name="/dev/video2", first_s=0.1), lambda: ReplayCamera([GRAY])], None
        )

    camera = ReconnectingCamera("auto", opening(auto, absent, lambda: ReplayCamera([GRAY])), clock=clock)
    stream = iter(camera)
    assert next(frame for frame in stream if frame is not None).index == 0
    for _ in range(20):
        clock.now_s += 61
        if (frame := next(stream)) is not None:
            break
    assert frame is not None
    assert frame.index == 1


def test_a_candidate_that_stalls_ends_a_run_for_which_no_camera_answers(stall: Stall) -> None:
    auto = AutoCamera([lambda: camera_of(stall, name="/dev/video2", first_s=0.1)], None)
    camera = ReconnectingCamera("auto", opening(lambda: auto), clock=Clock())
    with pytest.raises(CameraError, match="only a new process can open it"):
        for _ in islice(camera, 2000):
            pass


def test_a_hang_before_the_last_frame_does_not_count(stall: Stall) -> None:
    """The camera could be reopened although the earlier read still hangs."""
    clock = StoppedClock()
    camera = ReconnectingCamera(
        "camera", opening(lambda: camera_of(stall, first_s=0.1), lambda: ReplayCamera([GRAY])), clock=clock
    )
    stream = iter(camera)
    while next(stream) is None:
        clock.now_s += 0.25
    for _ in range(20):  # the replay has ended: an ordinary fault
        clock.now_s += 61
        assert next(stream) is None


def test_a_camera_that_stays_stalled_is_logged_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is closed during a read twice a minute, for months."""
    monkeypatch.setattr("edge.sources.live._JOIN_S", 0.01)
    caplog.set_level(logging.DEBUG)
    scripts: list[list[Step]] = []
    stalls: list[Stall] = []

    def open_camera() -> Camera:
        for earlier in stalls:
            earlier.release.set()
        stalls.append(Stall())
        return camera_of(*scripts.pop(0), stalls[-1], first_s=0.1, silence_s=0.1)

    for _ in range(2):  # what was logged of the first camera does not count for a second one of its name
        scripts[:] = [[], [], [], [GRAY], []]
        caplog.clear()
        with contextlib.suppress(IndexError):  # no further script
            for _ in islice(ReconnectingCamera("camera", open_camera, clock=Clock()), 2000):
                pass
        levels = [each.levelname for each in caplog.records if "it is abandoned" in each.getMessage()]
        assert levels == ["WARNING", "DEBUG", "DEBUG", "WARNING", "DEBUG"]
    stalls[-1].release.set()


def test_candidates_of_auto_that_stay_stalled_are_logged_once(
    stall: Stall, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.sources.live._JOIN_S", 0.01)
    caplog.set_level(logging.DEBUG)
    candidates = [lambda: camera_of(stall, name="/dev/video2", first_s=0.1)]
    autos = [AutoCamera(candidates, None) for _ in range(3)]
    with contextlib.suppress(IndexError):  # no further auto
        for _ in islice(ReconnectingCamera("auto", lambda: autos.pop(0), clock=Clock()), 2000):
            pass
    levels = [each.levelname for each in caplog.records if "it is abandoned" in each.getMessage()]
    assert levels == ["WARNING", "DEBUG", "DEBUG"]


# A command whose camera reads for longer than the exit of an interpreter waits. A thread that returns from
# OpenCV while the interpreter shuts down ends the process with SIGABRT.
_COMMAND = """
import sys, time
import cv2, numpy
import edge.cli.main
from edge.__main__ import main
from edge.sources.live import LiveCamera
from edge.sources.settings import CaptureSettings
class Slow:
    def grab(self):
        end = time.monotonic() + 60
        while time.monotonic() < end:
            cv2.blur(numpy.zeros((400, 400)), (5, 5))
    def close(self):
        pass
def command_line():
    with LiveCamera("slow", Slow, CaptureSettings()) as camera:
        next(iter(camera))
    print("ended")
    return int(sys.argv[1])
edge.cli.main.main = command_line
sys.exit(main())
"""


@pytest.mark.parametrize("code", [0, 1])
def test_a_read_that_hangs_for_ever_does_not_abort_the_program(code: int) -> None:
    command = [sys.executable, "-c", _COMMAND, str(code)]
    ended = subprocess.run(command, check=False, timeout=30, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (code, "ended\n"), ended.stderr
