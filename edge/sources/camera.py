"""What a source of pictures is to the loop, and what every source does to a picture before handing it on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Protocol

import cv2
import numpy as np

from edge.errors import ConfigError
from edge.types import Frame, Gray

# How long an iteration may take before it yields None, so that the loop can look at its stop flag.
TICK_S = 0.2
# Width and height in pixels that a camera is asked for where the settings name none.
DEFAULT_WH = (640, 480)


class Camera(Protocol):
    """A source of gray pictures: a camera, a stream, a recording, a folder, the demo.

    Iterating yields `Frame`s and, at the latest every `TICK_S`, None while there is nothing new; it ends
    where the source ends by itself and raises `CameraError` where it breaks.

    Attributes:
        name: what a person calls it, for messages.
        yields_stills: whether its pictures have nothing to do with one another.
        is_down: whether it delivers nothing for now and is tried again.
    """

    name: str
    yields_stills: bool
    is_down: bool

    @property
    def captured(self) -> int:
        """Pictures the source delivered so far."""

    @property
    def dropped(self) -> int:
        """Pictures of these that were replaced by newer ones before they were read."""

    def __iter__(self) -> Iterator[Frame | None]: ...

    def __enter__(self) -> Camera: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def close(self) -> None:
        """Releases the source; may be called again; a closed source cannot be iterated."""


# Opens a camera when it is called.
Opener = Callable[[], Camera]


@dataclass(frozen=True)
class CaptureSettings:
    """How pictures are wanted.

    Attributes:
        size_wh: width and height in pixels before rotation: asked of a camera (which may give another),
            exact for recordings and folders, which are scaled, and cut to its proportions. None keeps what
            the source has.
        rotate: degrees clockwise.
        mirror: left and right exchanged, after rotation.
        frozen_s: seconds of one and the same picture after which a reconnecting run opens its camera
            anew, up to 3600; 0 for never.
    """

    size_wh: tuple[int, int] | None = None
    rotate: Literal[0, 90, 180, 270] = 0
    mirror: bool = False
    frozen_s: float = 30.0

    def __post_init__(self) -> None:
        if self.size_wh is not None and not all(16 <= side <= 8192 for side in self.size_wh):
            raise ConfigError(
                f"picture size {self.size_wh[0]}x{self.size_wh[1]}: each side must be 16 to 8192"
            )
        if self.rotate not in (0, 90, 180, 270):
            raise ConfigError(f"rotation {self.rotate}: must be 0, 90, 180 or 270")
        if not 0 <= self.frozen_s <= 3600:
            raise ConfigError(f"frozen_s {self.frozen_s}: must be 0 (never) to 3600 seconds")


_ROTATIONS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}


def orient(gray: Gray, settings: CaptureSettings) -> Gray:
    """The picture rotated and mirrored as wanted, read-only; the same pixels where nothing is to be done.

    Args:
        gray: (H, W) uint8.
        settings: what is wanted; the size is not looked at.

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
