"""The reader thread: newest frame only, silence, faults, and closing while a read hangs."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from edge.errors import CameraError, EdgeError, MissingDependencyError
from edge.sources.camera import TICK_S
from edge.sources.live import LiveCamera
from edge.sources.replay import ScriptedGrabber, Step
from edge.sources.settings import CaptureSettings
from edge.types import Gray
from tests.support.cameras import LIMIT_S, Stall, camera_of, join_readers, outcome, picture


def test_only_the_newest_frame_is_delivered_and_the_others_are_counted(stall: Stall) -> None:
    with camera_of(picture(1), picture(2), picture(3), stall) as camera:
        assert stall.reached.wait(LIMIT_S)
        frame = next(iter(camera))
        assert frame is not None
        assert (frame.index, frame.gray[0, 0]) == (2, 3)
        assert (camera.captured, camera.dropped) == (3, 2)
        assert next(iter(camera)) is None
        stall.release.set()


def test_a_stalled_read_does_not_delay_the_tick(stall: Stall) -> None:
    with camera_of(stall) as camera:
        begun = time.monotonic()
        assert next(iter(camera)) is None
        assert TICK_S / 2 < time.monotonic() - begun < LIMIT_S
        stall.release.set()


def test_no_picture_at_the_start_is_an_error(stall: Stall) -> None:
    with camera_of(stall, first_s=0.1) as camera:
        frames, error = outcome(camera)
        stall.release.set()
    assert (frames, error.exit_code) == ([], 1)
    assert str(error).startswith("camera: no picture within 0.1 s of opening")
    assert "--source demo" in str(error)


def test_silence_after_a_picture_is_an_error(stall: Stall) -> None:
    with camera_of(picture(), stall, silence_s=0.1) as camera:
        frames, error = outcome(camera)
        stall.release.set()
    assert len(frames) == 1
    assert str(error).startswith("camera: no picture for 0.1 s after 1 pictures")


def test_the_time_for_which_the_process_was_stopped_is_no_silence(
    stall: Stall, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by SIGSTOP: the clock goes on meanwhile, and the iteration may go on before the reader does."""
    with camera_of(picture(1), stall, picture(2), stall, silence_s=10.0) as camera:
        stream = iter(camera)
        assert next(frame for frame in stream if frame is not None).gray[0, 0] == 1
        assert stall.reached.wait(LIMIT_S)
        now_s = time.monotonic
        monkeypatch.setattr("edge.sources.live.time.monotonic", lambda: now_s() + 60)
        assert next(stream) is None
        stall.release.set()
        assert next(frame for frame in stream if frame is not None).gray[0, 0] == 2


def test_a_camera_of_which_every_read_fails_does_not_spin() -> None:
    reads = []

    def script() -> Iterator[Gray | None]:
        while True:
            reads.append(1)
            yield None

    with LiveCamera("camera", lambda: ScriptedGrabber(script()), CaptureSettings(), first_s=0.5) as camera:
        outcome(camera)
    assert 1 < len(reads) < 30


def test_reads_that_all_fail_at_once_mean_an_unplugged_camera() -> None:
    with camera_of(picture()) as camera:  # after the script every read fails, as if unplugged
        begun = time.monotonic()
        frames, error = outcome(camera)
    assert (len(frames), str(error)) == (1, "camera: every read fails at once; unplugged?")
    assert time.monotonic() - begun < LIMIT_S / 2


def test_reads_that_fail_now_and_then_or_slowly_do_not() -> None:
    def slowly() -> None:
        time.sleep(0.12)

    damaged: list[Step] = [picture(), *[None] * 19] * 2
    with camera_of(*damaged, *[slowly] * 22, picture(9), silence_s=8.0) as camera:
        frames, _ = outcome(camera)
    assert frames[-1].gray[0, 0] == 9


def test_a_failed_read_is_tried_again() -> None:
    with camera_of(None, None, picture(7)) as camera:
        frame = next(frame for frame in camera if frame is not None)
    assert (frame.index, frame.captured_at, frame.gray[0, 0]) == (0, 0.0, 7)


def test_a_fault_comes_after_the_last_picture() -> None:
    fault = CameraError("camera: gone")
    with camera_of(picture(), fault) as camera:
        frames, error = outcome(camera)
    assert (len(frames), error) == (1, fault)


@pytest.mark.parametrize("fault", [CameraError("no such device"), MissingDependencyError("install it")])
def test_an_error_of_opening_is_raised_by_the_iteration(fault: EdgeError) -> None:
    def refuse() -> ScriptedGrabber:
        raise fault

    with LiveCamera("camera", refuse, CaptureSettings()) as camera:
        assert outcome(camera) == ([], fault)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_reader_that_dies_of_a_bug_is_an_error() -> None:
    def bug() -> Gray:
        raise ZeroDivisionError

    with camera_of(bug) as camera:
        assert "its reader died" in str(outcome(camera)[1])


def test_close_ends_the_reader_and_closes_the_grabber() -> None:
    grabber = ScriptedGrabber([picture()])
    camera = LiveCamera("ended", lambda: grabber, CaptureSettings())
    next(frame for frame in camera if frame is not None)
    camera.close()
    assert grabber.closed
    assert "reader of ended" not in [thread.name for thread in threading.enumerate()]


@pytest.mark.parametrize("opening", [False, True])
def test_close_does_not_wait_for_a_read_that_hangs(
    stall: Stall, opening: bool, caplog: pytest.LogCaptureFixture
) -> None:
    grabber = ScriptedGrabber([stall])

    def open_slowly() -> ScriptedGrabber:
        if opening:
            stall()
        return grabber

    camera = LiveCamera("hanging", open_slowly, CaptureSettings())
    assert stall.reached.wait(LIMIT_S)
    begun = time.monotonic()
    with caplog.at_level(logging.WARNING):
        camera.close()
    assert time.monotonic() - begun < 0.8
    assert "hanging: a read is still in progress" in caplog.text
    assert not grabber.closed  # never during a read
    stall.release.set()
    join_readers()
    assert grabber.closed


def test_a_read_that_outlasts_close_is_a_hang_until_it_returns(stall: Stall) -> None:
    camera = camera_of(stall)
    assert stall.reached.wait(LIMIT_S)
    states = [camera.is_hung]
    camera.close()
    states.append(camera.is_hung)
    stall.release.set()
    join_readers()
    assert [*states, camera.is_hung] == [False, True, False]


@pytest.mark.parametrize(("warns", "levels"), [(True, ["WARNING"]), (False, ["DEBUG"])])
def test_a_hang_is_logged_once(
    stall: Stall, warns: bool, levels: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    camera = camera_of(stall)
    camera.warns_of_hang = warns
    assert stall.reached.wait(LIMIT_S)
    with caplog.at_level(logging.DEBUG):
        camera.close()
        camera.close()
    assert [record.levelname for record in caplog.records] == levels


def test_a_read_that_hangs_does_not_abort_the_process_at_its_exit() -> None:
    # A thread that returns from OpenCV while the interpreter shuts down ends the process with SIGABRT.
    program = (
        "import time, cv2, numpy\n"
        "from edge.sources.settings import CaptureSettings\n"
        "from edge.sources.live import LiveCamera\n"
        "class Slow:\n"
        "    def grab(self):\n"
        "        end = time.monotonic() + 0.8\n"
        "        while time.monotonic() < end:\n"
        "            cv2.blur(numpy.zeros((400, 400)), (5, 5))\n"
        "    def close(self):\n"
        "        pass\n"
        "camera = LiveCamera('slow', Slow, CaptureSettings())\n"
        "next(iter(camera))\n"
        "camera.close()\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert (ran.returncode, ran.stdout) == (0, ""), ran.stderr


def test_another_size_than_the_wanted_one_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    settings = CaptureSettings(size_wh=(64, 48))
    with caplog.at_level(logging.INFO):
        camera = LiveCamera(
            "camera", lambda: ScriptedGrabber([picture(), picture()]), settings, silence_s=0.1
        )
        outcome(camera)
        camera.close()
    assert caplog.text.count("asked for 64x48, it delivers 6x4") == 1
