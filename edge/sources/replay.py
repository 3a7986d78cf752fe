"""Sources that play given frames: for tests, and for trying the loop without a camera."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

from edge.errors import CameraError, EdgeError
from edge.sources.paced import PacedCamera, TimedFrames
from edge.sources.settings import CaptureSettings
from edge.types import Gray

# A frame, a failed read, the end of the camera, or a function that returns one of the first two.
Step: TypeAlias = "Gray | EdgeError | Callable[[], Gray | None] | None"


class ReplayCamera(PacedCamera):
    """Plays frames from memory."""

    def __init__(
        self,
        frames: Sequence[Gray | None],
        times: Sequence[float] | None = None,
        settings: CaptureSettings | None = None,
        *,
        fast: bool = True,
        yields_stills: bool = False,
    ) -> None:
        """Takes over the frames without copying them.

        Args:
            frames: (H, W) uint8 each; None is a tick without a frame.
            times: Non-decreasing seconds since the first frame, beginning with 0, one for each frame that is
                not None. If omitted, frames are 1/15 s apart.
            settings: The form in which frames are wanted; None plays them as they are.
            fast: Whether to play as fast as frames are taken instead of at their times.
            yields_stills: Whether the frames are unrelated images.

        Raises:
            CameraError: The times do not match the frames.
        """
        count = sum(frame is not None for frame in frames)
        times = [number / 15 for number in range(count)] if times is None else list(times)
        if len(times) != count or times != sorted(times) or any(time != 0 for time in times[:1]):
            raise CameraError(f"replay: {count} frames need as many non-decreasing times from 0, not {times}")
        super().__init__(
            "replay",
            _timed(frames, times),
            settings or CaptureSettings(),
            fast=fast,
            yields_stills=yields_stills,
        )


class ScriptedGrabber:
    """A `Grabber` that follows a script; after its end every read fails, as if the camera was unplugged."""

    def __init__(self, steps: Iterable[Step]) -> None:
        """Takes the script.

        Args:
            steps: The outcome of each read in order: a frame; None for a failed read; an error to raise; or a
                function, which may block and returns one of the first two.
        """
        self._steps = iter(steps)
        self.closed = False

    def grab(self) -> Gray | None:
        """Performs the next step of the script.

        Raises:
            CameraError: The step is an error, or the grabber is closed.
        """
        if self.closed:
            raise CameraError("script: closed; a closed grabber cannot be read")
        step = next(self._steps, None)
        if isinstance(step, EdgeError):
            raise step
        return step() if callable(step) else step

    def close(self) -> None:
        """Ends the script."""
        self.closed = True


def _timed(frames: Sequence[Gray | None], times: Sequence[float]) -> TimedFrames:
    remaining_times = iter(times)
    for frame in frames:
        yield None if frame is None else (next(remaining_times), frame)
