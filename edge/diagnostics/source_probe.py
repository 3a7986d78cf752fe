"""Opens a source for a moment, to find out what it delivers."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from edge.errors import CameraError
from edge.pipeline.loop import Stop
from edge.settings.settings import Settings
from edge.sources.camera import Camera
from edge.sources.factory import open_source

# Seconds over which a camera's rate is measured.
_RATE_S = 2.0


@dataclass(frozen=True)
class SourceInfo:
    """What a source delivers.

    Attributes:
        name: Name of the source.
        size_wh: Width and height of its frames in pixels.
        fps: Frames per second; 0 for a source without a rate of its own.
    """

    name: str
    size_wh: tuple[int, int]
    fps: float

    def __str__(self) -> str:
        width, height = self.size_wh
        return f"{self.name}, {width}x{height}" + (f", {self.fps:.1f} pictures a second" if self.fps else "")


def probe_source(settings: Settings, stop: Stop) -> SourceInfo:
    """Opens the source, and returns what `measure_source` finds.

    The source "auto" does not fall back to the demo here: who asks wants to know that no camera answers.

    Args:
        settings: Settings of the run.
        stop: Ends the measurement early.

    Raises:
        EdgeError: the source cannot be opened, or delivers no frame.
    """
    with open_source(settings.source, settings.picture, fast=settings.fast, demo=False) as camera:
        return measure_source(camera, stop)


def measure_source(camera: Camera, stop: Stop, clock: Callable[[], float] = time.monotonic) -> SourceInfo:
    """Waits for the first frame and, unless the source holds still images, measures its rate for two seconds.

    Args:
        camera: The open source.
        stop: Ends the measurement early.
        clock: Returns non-decreasing seconds.

    Raises:
        CameraError: the source breaks, ends or is stopped before its first frame.
    """
    first_s, first_count, size_wh = 0.0, 0, (0, 0)
    for frame in camera:
        if stop.is_set():
            break
        if frame is not None and not any(size_wh):
            size_wh = frame.gray.shape[1], frame.gray.shape[0]
            first_s, first_count = clock(), camera.captured
        if any(size_wh) and (camera.yields_stills or clock() - first_s > _RATE_S):
            break
    if not any(size_wh):
        raise CameraError(f"{camera.name}: no picture")
    elapsed_s = clock() - first_s
    fps = (camera.captured - first_count) / elapsed_s if elapsed_s >= _RATE_S else 0.0
    return SourceInfo(camera.name, size_wh, fps)
