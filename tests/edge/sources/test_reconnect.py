"""A camera that is absent, goes and comes back."""

import logging
import threading
import time
from itertools import islice, pairwise

import numpy as np
import pytest

from edge.errors import CameraError, MissingDependencyError
from edge.sources.camera import CaptureSettings
from edge.sources.live import LiveCamera, hangs_s
from edge.sources.reconnect import ReconnectingCamera
from edge.sources.replay import ReplayCamera, ScriptedGrabber
from edge.types import Frame

GRAY = np.zeros((48, 64), np.uint8)


class Clock:
    """Time passes by itself, and quickly."""

    now_s = 0.0

    def __call__(self):
        self.now_s += 0.5
        return self.now_s


class Openings:
    """What each opening meets, in turn: an error, or a camera that breaks after so many pictures."""

    def __init__(self, *steps):
        self.steps, self.opened = list(steps), []

    def __call__(self):
        step = self.steps.pop(0)
        if isinstance(step, Exception):
            raise step

        def open_grabber():
            return ScriptedGrabber([*[GRAY] * step, CameraError("unplugged")])

        self.opened.append(LiveCamera("camera", open_grabber, CaptureSettings()))
        return self.opened[-1]


@pytest.fixture(autouse=True)
def quickly(monkeypatch):
    monkeypatch.setattr("edge.sources.reconnect.TICK_S", 0.01)


def frames_of(camera, most=2000):
    """What comes until the script of openings is at its end."""
    seen = []
    try:
        for frame in islice(camera, most):
            seen.append((frame, camera.is_down))
    except IndexError:  # no further opening
        pass
    return seen


def test_it_is_opened_again_and_its_frames_go_on(caplog):
    caplog.set_level(logging.INFO)
    absent = CameraError("/dev/video0: no such device")
    openings = Openings(absent, absent, 3, absent, 2)
    camera = ReconnectingCamera("/dev/video0", openings, clock=Clock())
    seen = frames_of(camera)
    frames = [frame for frame, _ in seen if isinstance(frame, Frame)]
    assert frames
    assert [frame.index for frame in frames] == sorted({frame.index for frame in frames})
    times = [frame.captured_at for frame in frames]
    assert times == sorted(times)
    assert camera.captured == 5
    assert seen[0] == (None, True)  # absent from the start
    assert all(not gone for frame, gone in seen if frame is not None)
    said = [record.getMessage() for record in caplog.records if record.name == "edge.sources.reconnect"]
    assert said.count("/dev/video0: no such device; it is tried again") == 2  # once for each time it went
    assert "camera: delivers again" in said
    assert all(each._closed.is_set() for each in openings.opened)


NOISE = np.random.default_rng(0).integers(0, 256, (12, 48, 64), np.uint8)


def played(frozen_s, *groups):
    """What comes of groups of pictures, one for each opening; half a second passes with every look."""
    cameras = [ReplayCamera(group) for group in groups]
    return frames_of(ReconnectingCamera("camera", lambda: cameras.pop(0), frozen_s, Clock()))


def test_a_picture_that_stays_the_same_is_a_camera_that_hangs(caplog):
    same = [NOISE[0]] * 40
    seen = played(10.0, [*NOISE, *same], same, [*same[:3], *NOISE[1:], NOISE[0]])
    shown = [frame.gray.tobytes() for frame, _ in seen if frame is not None]
    before = [each.tobytes() for each in NOISE]
    assert shown[:12] == before
    # For ten seconds it is seen, and then no more until another picture comes, however often it is opened.
    assert 10 < shown[12:].count(before[0]) < 30
    assert shown[-12:] == [*before[1:], before[0]]
    gone = [gone for _, gone in seen]
    went = sum(later and not former for former, later in pairwise(gone))
    assert went == 2  # when it hung, and at the end of the last group
    said = [record.getMessage() for record in caplog.records if "the same picture" in record.getMessage()]
    assert said == ["replay: the same picture for 10 s; stuck?; it is tried again"]


@pytest.mark.parametrize(
    ("frozen_s", "picture"), [(0.0, NOISE[0]), (10.0, np.full((48, 64), 16, np.uint8))], ids=["off", "black"]
)
def test_a_picture_that_stays_the_same_may_be_right(frozen_s, picture):
    seen = played(frozen_s, [picture] * 60)
    assert sum(frame is not None for frame, _ in seen) == 60


def test_a_read_that_hangs_for_ever_ends_the_run(monkeypatch):
    """libcamera can hang for good, and then holds the camera against all who open it again."""
    release = threading.Event()
    monkeypatch.setattr("edge.sources.reconnect._HOPELESS_S", 0.3)

    def hang():
        release.wait(30)

    hanging = LiveCamera("camera", lambda: ScriptedGrabber([GRAY, hang]), CaptureSettings(), silence_s=0.1)
    openings = [lambda: hanging]

    def open_camera():
        if openings:
            return openings.pop()()
        raise CameraError("camera: busy")

    try:
        with pytest.raises(
            CameraError, match=r"camera: busy; a read has hung for 0\.3 s: only a new process"
        ):
            for _ in islice(ReconnectingCamera("camera", open_camera), 500):
                pass
    finally:
        release.set()
        hanging._thread.join(5)
    assert hangs_s() == 0


def test_waiting_costs_next_to_nothing(monkeypatch):
    monkeypatch.setattr("edge.sources.reconnect.TICK_S", 0.2)

    def absent():
        raise CameraError("gone")

    camera = ReconnectingCamera("camera", absent)
    begun_s, begun_cpu_s = time.monotonic(), time.process_time()
    for _ in camera:
        if time.monotonic() - begun_s > 2:
            break
    assert camera.is_down
    assert (time.process_time() - begun_cpu_s) / (time.monotonic() - begun_s) < 0.05


def test_what_is_not_installed_is_not_waited_for():
    camera = ReconnectingCamera("camera", Openings(MissingDependencyError("no picamera2")))
    with pytest.raises(MissingDependencyError):
        next(iter(camera))


@pytest.mark.parametrize("yields_stills", [True, False])
def test_pictures_that_have_nothing_to_do_with_one_another_stay_so(yields_stills):
    camera = ReconnectingCamera("folder", lambda: ReplayCamera([GRAY] * 2, yields_stills=yields_stills))
    assert not camera.yields_stills
    next(iter(camera))
    assert camera.yields_stills == yields_stills


def test_it_closes_while_it_waits():
    camera = ReconnectingCamera("camera", Openings(CameraError("gone")))
    assert next(iter(camera)) is None
    camera.close()
    camera.close()
    with pytest.raises(CameraError, match="closed"):
        next(iter(camera))
