"""AutoCamera plays the first camera that delivers, else the fallback, and reports why others do not."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

import pytest

from edge.errors import CameraError, MissingDependencyError
from edge.sources.auto import AutoCamera
from edge.sources.camera import Camera
from edge.sources.replay import ReplayCamera
from tests.support.cameras import Stall, camera_of, outcome, picture


def test_auto_takes_the_first_camera_that_delivers(stall: Stall, caplog: pytest.LogCaptureFixture) -> None:
    def absent() -> Camera:
        raise MissingDependencyError("the first is not installed")

    opened: list[Camera] = []

    def keep(open_camera: Callable[[], Camera]) -> Callable[[], Camera]:
        def open_and_keep() -> Camera:
            opened.append(open_camera())
            return opened[-1]

        return open_and_keep

    silent = keep(lambda: camera_of(stall, first_s=0.05))
    good = keep(lambda: ReplayCamera([picture(1), picture(2)]))
    unused = keep(lambda: ReplayCamera([picture(3)]))
    with AutoCamera([absent, silent, good, unused], unused) as camera:
        assert camera.name == "auto"
        frames = [frame for frame in camera if frame is not None]
        assert camera.name == "replay"
        assert camera.captured == 2
    assert [frame.gray[0, 0] for frame in frames] == [1, 2]
    assert len(opened) == 2
    assert "the first is not installed" in caplog.text
    assert "no picture within 0.05 s" in caplog.text
    for one in opened:
        with pytest.raises(CameraError, match="closed"):
            next(iter(one))


def test_auto_falls_back_to_the_demo_and_logs_it(caplog: pytest.LogCaptureFixture) -> None:
    with AutoCamera([], lambda: ReplayCamera([picture(9)])) as camera:
        frames = [frame for frame in camera if frame is not None]
    assert [frame.gray[0, 0] for frame in frames] == [9]
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "no camera answers: playing the demo" in record.message


@pytest.mark.parametrize(
    ("faults", "why"),
    [
        ([], "is one connected? `emotiny cameras` says where to look"),
        (["one: gone", "two: busy"], "one: gone; two: busy"),
    ],
)
def test_auto_without_the_demo_is_one_error_where_no_camera_answers(
    faults: list[str], why: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A caller that tries again for months logs an unchanged fault once, and compares its text."""
    with AutoCamera([partial(camera_of, CameraError(fault)) for fault in faults], None) as camera:
        frames, error = outcome(camera)
    assert (frames, str(error)) == ([], f"auto: no camera answers; {why}")
    assert not caplog.records


def test_a_camera_that_breaks_after_auto_chose_it_is_an_error() -> None:
    with AutoCamera([lambda: camera_of(picture(), CameraError("gone"))], lambda: ReplayCamera([])) as camera:
        frames, error = outcome(camera)
    assert (len(frames), str(error)) == (1, "gone")
