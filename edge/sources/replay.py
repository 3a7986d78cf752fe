"""Sources that play what they are given: for tests, and for trying the loop without a camera."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

from edge.errors import CameraError, EdgeError
from edge.sources.camera import CaptureSettings
from edge.sources.paced import PacedCamera, TimedFrames
from edge.types import Gray

# A picture, a failed read, the end of the camera, or something to call for one of the first two.
Step: TypeAlias = "Gray | EdgeError | Callable[[], Gray | None] | None"


class ReplayCamera(PacedCamera):
    """Plays arrays."""

    def __init__(
        self,
        pictures: Sequence[Gray | None],
        times: Sequence[float] | None = None,
        settings: CaptureSettings | None = None,
        *,
        fast: bool = True,
        yields_stills: bool = False,
    ) -> None:
        """Takes the pictures over; they are not copied.

        Args:
            pictures: (H, W) uint8 each; None is a tick without a picture.
            times: seconds since the first, one for each picture that is not None, from 0 and never
                falling; 1/15 s apart where they are None.
            settings: how pictures are wanted; as they are where it is None.
            fast: as fast as they are taken instead of at their times.
            yields_stills: the pictures have nothing to do with one another.

        Raises:
            CameraError: the times do not fit the pictures.
        """
        count = sum(picture is not None for picture in pictures)
        times = [number / 15 for number in range(count)] if times is None else list(times)
        if len(times) != count or times != sorted(times) or any(time != 0 for time in times[:1]):
            raise CameraError(
                f"replay: {count} pictures need as many times from 0 and never falling, not {times}"
            )
        super().__init__(
            "replay",
            _timed(pictures, times),
            settings or CaptureSettings(),
            fast=fast,
            yields_stills=yields_stills,
        )


class ScriptedGrabber:
    """A `Grabber` that follows a script; after its end every read fails, as of an unplugged camera."""

    def __init__(self, steps: Iterable[Step]) -> None:
        """Takes the script.

        Args:
            steps: what each read meets, in order: a picture, None for a failed read, an error that is
                raised, or a function, which may stall and whose answer is given.
        """
        self._steps = iter(steps)
        self.closed = False

    def grab(self) -> Gray | None:
        """What the next step says.

        Raises:
            CameraError: it says so, or the grabber is closed.
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


def _timed(pictures: Sequence[Gray | None], times: Sequence[float]) -> TimedFrames:
    due = iter(times)
    for picture in pictures:
        yield None if picture is None else (next(due), picture)
