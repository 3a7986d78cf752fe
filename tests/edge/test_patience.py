"""A camera that is absent, goes and comes back."""

import logging
import time
from itertools import islice

import numpy as np
import pytest

from edge.camera import PictureSettings
from edge.errors import CameraError, MissingDependencyError
from edge.live import LiveCamera
from edge.patience import PatientCamera
from edge.replay import ScriptedGrabber
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

        self.opened.append(LiveCamera("camera", open_grabber, PictureSettings()))
        return self.opened[-1]


@pytest.fixture(autouse=True)
def quickly(monkeypatch):
    monkeypatch.setattr("edge.patience.TICK_S", 0.01)


def frames_of(camera, most=2000):
    """What comes until the script of openings is at its end."""
    seen = []
    try:
        for frame in islice(camera, most):
            seen.append((frame, camera.gone))
    except IndexError:  # no further opening
        pass
    return seen


def test_it_is_opened_again_and_its_frames_go_on(caplog):
    caplog.set_level(logging.INFO)
    absent = CameraError("/dev/video0: no such device")
    openings = Openings(absent, absent, 3, absent, 2)
    camera = PatientCamera("/dev/video0", openings, Clock())
    seen = frames_of(camera)
    frames = [frame for frame, _ in seen if isinstance(frame, Frame)]
    assert frames
    assert [frame.index for frame in frames] == sorted({frame.index for frame in frames})
    times = [frame.captured_at for frame in frames]
    assert times == sorted(times)
    assert camera.captured == 5
    assert seen[0] == (None, True)  # absent from the start
    assert all(not gone for frame, gone in seen if frame is not None)
    said = [record.getMessage() for record in caplog.records if record.name == "edge.patience"]
    assert said.count("/dev/video0: no such device; it is tried again") == 2  # once for each time it went
    assert "camera: delivers again" in said
    assert all(each._closed.is_set() for each in openings.opened)


def test_waiting_costs_next_to_nothing(monkeypatch):
    monkeypatch.setattr("edge.patience.TICK_S", 0.2)

    def absent():
        raise CameraError("gone")

    camera = PatientCamera("camera", absent)
    begun_s, begun_cpu_s = time.monotonic(), time.process_time()
    for _ in camera:
        if time.monotonic() - begun_s > 2:
            break
    assert camera.gone
    assert (time.process_time() - begun_cpu_s) / (time.monotonic() - begun_s) < 0.05


def test_what_is_not_installed_is_not_waited_for():
    camera = PatientCamera("camera", Openings(MissingDependencyError("no picamera2")))
    with pytest.raises(MissingDependencyError):
        next(iter(camera))


def test_it_closes_while_it_waits():
    camera = PatientCamera("camera", Openings(CameraError("gone")))
    assert next(iter(camera)) is None
    camera.close()
    camera.close()
    with pytest.raises(CameraError, match="closed"):
        next(iter(camera))
