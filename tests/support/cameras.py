"""Cameras that hang or break on demand, and clocks that tests move."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from edge.errors import EdgeError
from edge.sources.camera import Camera
from edge.sources.live import LiveCamera
from edge.sources.replay import ScriptedGrabber, Step
from edge.sources.settings import CaptureSettings
from edge.types import Frame, Gray

LIMIT_S = 20


class Clock:
    """Half a second passes with every look at it."""

    now_s = 0.0

    def __call__(self) -> float:
        self.now_s += 0.5
        return self.now_s


class StoppedClock:
    """Shows the time that it is set to."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class Stall:
    """A step of a script that hangs until it is released; `reached` is set while the read is in progress."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.release = threading.Event()

    def __call__(self) -> None:
        self.reached.set()
        self.release.wait(LIMIT_S)


@pytest.fixture
def stall() -> Iterator[Stall]:
    step = Stall()
    yield step
    step.release.set()
    join_readers()


def join_readers() -> None:
    """Waits for the readers of all cameras to end; their reads must have been released."""
    for thread in threading.enumerate():
        if thread.name.startswith("reader of"):
            thread.join(LIMIT_S)


def picture(value: int = 0) -> Gray:
    return np.full((4, 6), value, dtype=np.uint8)


def camera_of(
    *steps: Step, name: str = "camera", first_s: float = LIMIT_S, silence_s: float = LIMIT_S
) -> LiveCamera:
    """Opens a camera that follows a script."""
    return LiveCamera(
        name, lambda: ScriptedGrabber(steps), CaptureSettings(), first_s=first_s, silence_s=silence_s
    )


def outcome(camera: Camera) -> tuple[list[Frame], EdgeError]:
    """Returns the frames up to the error that ends them, and the error."""
    frames: list[Frame] = []
    stream = iter(camera)
    give_up_at = time.monotonic() + LIMIT_S
    while time.monotonic() < give_up_at:
        try:
            frame = next(stream)
        except EdgeError as error:
            return frames, error
        if frame is not None:
            frames.append(frame)
    raise AssertionError("no error came")
