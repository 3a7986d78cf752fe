"""Tells whether the scene has changed since the last detection."""

from __future__ import annotations

import cv2
import numpy as np

from edge.types import Gray

_SIDE_WH = (32, 24)
_MIN_CHANGE = 12  # gray levels; a person who moves changes a cell by more, and noise is averaged away


class MotionDetector:
    """Compares frames with a reference frame, both reduced to 32x24 cells."""

    def __init__(self) -> None:
        self._reference: Gray | None = None

    def set_reference(self, gray: Gray) -> None:
        """Stores the frame, (H, W) uint8, that later ones are compared with."""
        self._reference = _cells(gray)

    def has_moved(self, gray: Gray) -> bool:
        """Whether a cell of the frame, (H, W) uint8, differs from the reference; True without a reference."""
        if self._reference is None:
            return True
        return bool(cv2.absdiff(_cells(gray), self._reference).max() >= _MIN_CHANGE)


def _cells(gray: Gray) -> Gray:
    return np.asarray(cv2.resize(gray, _SIDE_WH, interpolation=cv2.INTER_AREA), np.uint8)
