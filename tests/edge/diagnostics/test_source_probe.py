"""What a source delivers, found out by opening it for a moment."""

import itertools
from threading import Event

import numpy as np
import pytest

from edge.diagnostics.source_probe import SourceInfo, measure_source, probe_source
from edge.errors import CameraError
from edge.settings.settings import Settings
from edge.sources.replay import ReplayCamera
from edge.sources.settings import CaptureSettings
from edge.system.platform import Platform
from tests.support.faces import FACES


class DroppingCamera(ReplayCamera):
    """Captures three frames for each one that it yields."""

    @property
    def captured(self) -> int:
        return 3 * super().captured


def clock(step_s):
    """A clock that shows a step more each time that it is read."""
    return itertools.count(0, step_s).__next__


def frames(count):
    return [np.zeros((48, 64), np.uint8)] * count


def test_the_rate_is_that_of_captured_frames_since_the_first_one():
    camera = DroppingCamera(frames(9))
    info = measure_source(camera, Event(), clock(0.5))
    # The first frame comes at 0 s, the fifth is the last, and the clock shows 3 s then.
    assert info == SourceInfo("replay", (64, 48), 4 * 3 / 3)


def test_a_source_that_ends_within_two_seconds_has_no_rate():
    assert measure_source(ReplayCamera([None, *frames(2)]), Event(), clock(0.4)).fps == 0


def test_one_still_image_is_enough():
    camera = ReplayCamera(frames(9), yields_stills=True)
    assert str(measure_source(camera, Event(), clock(0.5))) == "replay, 64x48"
    assert camera.captured == 1


def test_a_folder_is_probed():
    info = probe_source(Settings(source=str(FACES), picture=CaptureSettings((64, 48))), Event())
    assert info == SourceInfo(str(FACES), (64, 48), 0)


def test_it_ends_when_it_is_stopped():
    stop = Event()
    stop.set()
    with pytest.raises(CameraError, match="replay: no picture"):
        measure_source(ReplayCamera(frames(9)), stop)


def test_auto_does_not_fall_back_to_the_demo(monkeypatch):
    monkeypatch.setattr("edge.sources.factory.query_all", lambda: ([], {}))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("edge.sources.factory.detect_platform", Platform)
    with pytest.raises(CameraError, match="auto: no camera answers"):
        probe_source(Settings(source="auto"), Event())


@pytest.mark.parametrize(
    ("fps", "text"), [(0, "cam, 640x480"), (14.96, "cam, 640x480, 15.0 pictures a second")]
)
def test_the_text_for_the_user(fps, text):
    assert str(SourceInfo("cam", (640, 480), fps)) == text
