"""What a source delivers, found out by opening it for a moment."""

from threading import Event

import pytest

from edge.diagnostics.source_probe import SourceInfo, probe_source
from edge.errors import CameraError
from edge.settings.settings import Settings
from edge.sources.camera import CaptureSettings
from edge.system.platform import Platform
from tests.support.faces import FACES


def test_still_images_have_no_rate_of_their_own():
    info = probe_source(Settings(source=str(FACES), picture=CaptureSettings((64, 48))), Event())
    assert (info.size_wh, info.fps) == ((64, 48), 0)
    assert str(info) == f"{FACES}, 64x48"


def test_a_source_that_plays_at_its_own_rate_is_measured():
    info = probe_source(Settings(source="demo"), Event())
    assert info.fps == pytest.approx(15, rel=0.3)
    assert str(info) == f"{info.name}, {info.size_wh[0]}x{info.size_wh[1]}, {info.fps:.1f} pictures a second"


def test_it_ends_when_it_is_stopped():
    stop = Event()
    stop.set()
    with pytest.raises(CameraError, match="no picture"):
        probe_source(Settings(source="demo"), stop)


def test_auto_does_not_fall_back_to_the_demo(monkeypatch):
    monkeypatch.setattr("edge.sources.factory.query_all", lambda: ([], {}))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("edge.sources.factory.detect_platform", Platform)
    with pytest.raises(CameraError, match="auto: no camera answers"):
        probe_source(Settings(source="auto"), Event())


def test_the_size_is_width_by_height():
    assert str(SourceInfo("cam", (640, 480), 0)) == "cam, 640x480"
