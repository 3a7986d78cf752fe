"""The contract of all cameras, tested on each that needs no device."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.errors import CameraError
from edge.sources.auto import AutoCamera
from edge.sources.camera import Camera, orient
from edge.sources.factory import open_source
from edge.sources.live import LiveCamera
from edge.sources.opencv import silence_opencv_logs
from edge.sources.replay import ReplayCamera, ScriptedGrabber
from edge.sources.settings import CaptureSettings
from edge.types import Frame, Gray

PLAIN = CaptureSettings()
ENDING = ("replay", "video", "folder")


@dataclass
class Source:
    """A source under test; `prompt` makes a live camera deliver its next frame."""

    open: Callable[[CaptureSettings], Camera]
    prompt: Callable[[], object] = lambda: None
    scales: bool = True


def pictures() -> list[Gray]:
    """Returns three frames, (48, 64) uint8, bright in the upper left, each a little darker than the last."""
    made = []
    for number in range(3):
        picture = np.full((48, 64), 30, dtype=np.uint8)
        picture[:20, :30] = 220 - 20 * number
        made.append(picture)
    return made


def write_video(path: Path, frames: list[Gray], fps: float = 20) -> Path:
    silence_opencv_logs()
    size_wh = (frames[0].shape[1], frames[0].shape[0])
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), fps, size_wh)
    assert writer.isOpened()
    for frame in frames:
        writer.write(cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR))
    writer.release()
    return path


def live(settings: CaptureSettings, ready: threading.Semaphore) -> LiveCamera:
    def script() -> Iterator[Gray | None]:
        for picture in cycle(pictures()):
            while not ready.acquire(timeout=0.05):
                yield None
            yield picture

    return LiveCamera("live", lambda: ScriptedGrabber(script()), settings)


@pytest.fixture(params=["replay", "video", "folder", "demo", "live", "auto"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Source:
    if request.param == "replay":
        return Source(lambda settings: ReplayCamera(pictures(), settings=settings))
    if request.param == "video":
        path = write_video(tmp_path / "clip.avi", pictures())
        return Source(lambda settings: open_source(str(path), settings, fast=True))
    if request.param == "folder":
        for number, picture in enumerate(pictures()):
            cv2.imwrite(str(tmp_path / f"{number}.png"), picture)
        return Source(lambda settings: open_source(str(tmp_path), settings, fast=True))
    if request.param == "demo":
        return Source(lambda settings: open_source("demo", settings, fast=True))
    ready = threading.Semaphore(0)
    if request.param == "live":
        return Source(lambda settings: live(settings, ready), ready.release, scales=False)
    return Source(
        lambda settings: AutoCamera([lambda: live(settings, ready)], lambda: ReplayCamera([])),
        ready.release,
        scales=False,
    )


def take(source: Source, camera: Camera, count: int) -> list[Frame]:
    """Returns the next frames; fails the test, instead of hanging, if the source only ticks."""
    frames: list[Frame] = []
    stream = iter(camera)
    give_up_at = time.monotonic() + 20
    while len(frames) < count:
        source.prompt()
        for frame in stream:
            assert time.monotonic() < give_up_at
            if frame is not None:
                frames.append(frame)
                break
    return frames


def test_frames_are_numbered_timed_and_read_only(source: Source) -> None:
    with source.open(PLAIN) as camera:
        frames = take(source, camera, 3)
        assert (camera.captured, camera.dropped) == (3, 0)
    assert [frame.index for frame in frames] == [0, 1, 2]
    times = [frame.captured_at for frame in frames]
    assert times[0] == 0
    assert times == sorted(times)
    for frame in frames:
        assert frame.gray.dtype == np.uint8
        assert frame.gray.ndim == 2
        assert not frame.gray.flags.writeable


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
def test_pictures_are_rotated_and_mirrored(source: Source, rotate: int, mirror: bool) -> None:
    settings = CaptureSettings(rotate=rotate, mirror=mirror)  # type: ignore[arg-type]
    with source.open(PLAIN) as camera:
        plain = take(source, camera, 1)[0].gray
    with source.open(settings) as camera:
        turned = take(source, camera, 1)[0].gray
    np.testing.assert_array_equal(turned, orient(plain, settings))


def test_a_recording_is_scaled_to_the_size_and_a_camera_may_deliver_another(source: Source) -> None:
    with source.open(CaptureSettings(size_wh=(40, 20), rotate=90)) as camera:
        shape = take(source, camera, 1)[0].gray.shape
    assert shape == ((40, 20) if source.scales else (64, 48))


def test_an_iteration_goes_on_where_the_last_one_stopped(source: Source) -> None:
    with source.open(PLAIN) as camera:
        assert [take(source, camera, 1)[0].index for _ in range(3)] == [0, 1, 2]


@pytest.mark.parametrize("started", [False, True])
def test_a_closed_source_cannot_be_read_and_closes_again(source: Source, started: bool) -> None:
    camera = source.open(PLAIN)
    if started:
        take(source, camera, 1)
    begun = time.monotonic()
    camera.close()
    camera.close()
    assert time.monotonic() - begun < 0.8
    with pytest.raises(CameraError, match=r"closed; a closed .* cannot be read"):
        next(iter(camera))


def test_closing_in_the_middle_of_an_iteration_ends_it_with_an_error(source: Source) -> None:
    camera = source.open(PLAIN)
    stream = iter(camera)
    source.prompt()
    next(stream)
    camera.close()
    with pytest.raises(CameraError, match="closed"):
        next(stream)


@pytest.mark.parametrize("source", ENDING, indirect=True)
def test_a_recording_ends_by_itself(source: Source) -> None:
    with source.open(PLAIN) as camera:
        assert len([frame for frame in camera if frame is not None]) == 3
        assert next(iter(camera), "over") == "over"
