"""The interface of cameras, and what this package's cameras share."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Protocol, TypeVar

import cv2
import numpy as np

from edge.errors import CameraError
from edge.sources.settings import CaptureSettings
from edge.types import Frame, Gray

# How long an iteration may take before it yields None, so that the loop can check its stop flag.
TICK_S = 0.2
# Width and height in pixels that a camera is asked for if the settings name no size.
DEFAULT_WH = (640, 480)


class Camera(Protocol):
    """A source of gray frames: a camera, a stream, a recording, a folder of images, the demo.

    Iterating yields a `Frame` for each new picture, and None at least every `TICK_S` while there is no new
    one. The iteration ends when the source ends, and raises `CameraError` when the source breaks.

    Attributes:
        name: The name of the source in messages.
        yields_stills: Whether its frames are unrelated images instead of a video.
        is_down: Whether it delivers nothing at present and is being reopened.
    """

    name: str
    yields_stills: bool
    is_down: bool

    @property
    def captured(self) -> int:
        """The number of frames that the source has delivered."""

    @property
    def dropped(self) -> int:
        """The number of captured frames that a newer one replaced before they were read."""

    def __iter__(self) -> Iterator[Frame | None]: ...

    def __enter__(self) -> Camera: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def close(self) -> None:
        """Releases the source. May be called again; a closed source cannot be iterated over."""


# Opens a camera when it is called.
Opener = Callable[[], Camera]
_CameraType = TypeVar("_CameraType", bound="BaseCamera")


class BaseCamera(ABC):
    """The base of this package's cameras: counters, closing, and the check for use after closing.

    Attributes:
        name: See `Camera`.
        yields_stills: See `Camera`.
        is_down: See `Camera`.
        warns_of_hang: Whether `close` logs a read that hangs as a warning. Set to False by a caller that
            reopens the same camera again and again, once the warning was logged.
    """

    def __init__(self, name: str, *, yields_stills: bool = False) -> None:
        self.name = name
        self.yields_stills = yields_stills
        self.is_down = False
        self.warns_of_hang = True
        self._captured = self._dropped = 0
        # The camera that this one reads from, if it wraps another one.
        self._inner: Camera | None = None
        self._closed = threading.Event()

    @property
    def captured(self) -> int:
        """The number of frames that the source has delivered."""
        return self._captured + (self._inner.captured if self._inner else 0)

    @property
    def dropped(self) -> int:
        """The number of captured frames that a newer one replaced before they were read."""
        return self._dropped + (self._inner.dropped if self._inner else 0)

    @property
    def is_hung(self) -> bool:
        """Whether a read that outlasted `close` is still in progress, and may keep the device busy."""
        return False

    def __enter__(self: _CameraType) -> _CameraType:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[Frame | None]:
        """Yields frames, and None after each tick without one.

        Raises:
            CameraError: The source cannot be opened or read, or is closed.
            MissingDependencyError: A package that is needed to open the source is not installed.
        """
        while True:
            self._check_open()
            try:
                frame = self._next()
            except StopIteration:
                return
            yield frame

    def close(self) -> None:
        """Releases the source. May be called again."""
        self._closed.set()
        if self._inner is not None:
            self._inner.close()

    @abstractmethod
    def _next(self) -> Frame | None:
        """Returns the next frame, or None after a tick without one; raises StopIteration at the end."""

    def _check_open(self) -> None:
        if self._closed.is_set():
            raise CameraError(f"{self.name}: closed; a closed camera cannot be read")


_ROTATIONS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}


def orient(gray: Gray, settings: CaptureSettings) -> Gray:
    """Rotates and mirrors a frame; the result is read-only, and shares the pixels if there is nothing to do.

    Args:
        gray: (H, W) uint8.
        settings: The wanted rotation and mirroring; the size is ignored.

    Returns:
        (H, W) or (W, H) uint8.
    """
    if settings.rotate:
        gray = np.asarray(cv2.rotate(gray, _ROTATIONS[settings.rotate]), dtype=np.uint8)
    if settings.mirror:
        gray = np.asarray(cv2.flip(gray, 1), dtype=np.uint8)
    gray = gray.view()
    gray.flags.writeable = False
    return gray
