"""Whether a picture has changed since it was last searched."""

from __future__ import annotations

import cv2
import numpy as np

from edge.types import Gray

_SIDE_WH = (32, 24)
_LEAST = 12  # gray levels by which a cell changes when somebody moves; a camera's noise is averaged away


class MotionDetector:
    """Compares pictures, reduced to 32x24 cells."""

    def __init__(self) -> None:
        self._settled: Gray | None = None

    def set_reference(self, gray: Gray) -> None:
        """Takes a picture of (H, W) uint8 for what others are compared with."""
        self._settled = _cells(gray)

    def has_moved(self, gray: Gray) -> bool:
        """Whether some part of a picture differs from the settled one; True where there is none."""
        if self._settled is None:
            return True
        return bool(cv2.absdiff(_cells(gray), self._settled).max() >= _LEAST)


def _cells(gray: Gray) -> Gray:
    return np.asarray(cv2.resize(gray, _SIDE_WH, interpolation=cv2.INTER_AREA), np.uint8)
