"""How frames are captured."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from edge.errors import ConfigError
from edge.option import option


@dataclass(frozen=True)
class CaptureSettings:
    """How frames are captured.

    `size_wh`, before rotation, is asked of a camera, which may return another size; recordings and folders
    are scaled to it exactly, and cropped to its proportions. None keeps the size of the source.
    """

    size_wh: tuple[int, int] | None = field(
        default=None,
        metadata=option(
            "size of the picture in pixels, before rotation, each side 16 to 8192",
            "--size",
            name="size",
            default="that of the source",
        ),
    )
    rotate: Literal[0, 90, 180, 270] = field(
        default=0, metadata=option("degrees clockwise by which the picture is rotated", "--rotate")
    )
    mirror: bool = field(
        default=False, metadata=option("exchange left and right, after rotation", "--mirror")
    )
    frozen_s: float = field(
        default=30.0,
        metadata=option(
            "seconds of an unchanging picture after which --reconnect opens the camera anew, up to 3600; "
            "0 for never",
            "--frozen",
        ),
    )

    def __post_init__(self) -> None:
        if self.size_wh is not None and not all(16 <= side <= 8192 for side in self.size_wh):
            raise ConfigError(
                f"picture size {self.size_wh[0]}x{self.size_wh[1]}: each side must be 16 to 8192"
            )
        if self.rotate not in (0, 90, 180, 270):
            raise ConfigError(f"rotation {self.rotate}: must be 0, 90, 180 or 270")
        if not 0 <= self.frozen_s <= 3600:
            raise ConfigError(f"frozen_s {self.frozen_s}: must be 0 (never) to 3600 seconds")
