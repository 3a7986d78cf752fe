"""Follows a face from frame to frame by template matching, at a fiftieth of the cost of a detection."""

from __future__ import annotations

import math

import cv2
import numpy as np

from edge.detection.image import downscale
from edge.types import Box, Gray

_SIDE = 32  # side of a face in pixels of the reduced copies that are compared
_REACH = 2  # side of the searched area in face sizes; 2 means half a face size in each direction


class FaceTemplate:
    """The look of a face when it was last detected."""

    def __init__(self, gray: Gray, box: Box) -> None:
        """Copies the face, reduced to 32x32 pixels.

        Args:
            gray: (H, W) uint8.
            box: Box of the face.
        """
        self._template = _sample(gray, box, 1)

    def match(self, gray: Gray, box: Box) -> tuple[Box, float]:
        """Finds where the frame looks most like the template.

        Args:
            gray: (H, W) uint8.
            box: Searched up to half of its size away, at its size.

        Returns:
            The moved box, which may reach over the edge of the frame, and the normalized correlation
            coefficient (`cv2.TM_CCOEFF_NORMED`), -1 to 1; 0 where the frame has no contrast.
        """
        around = _sample(gray, box, _REACH)
        scores = cv2.matchTemplate(around, self._template, cv2.TM_CCOEFF_NORMED)
        _, score, _, (left, top) = cv2.minMaxLoc(scores)
        middle = _SIDE * (_REACH - 1) / 2
        x = box.x + round((left - middle) * box.width / _SIDE)
        y = box.y + round((top - middle) * box.height / _SIDE)
        return Box(x, y, box.width, box.height), score if math.isfinite(score) else 0.0


def _sample(gray: Gray, box: Box, reach: int) -> Gray:
    """Returns the box with its surroundings, (32 reach, 32 reach) uint8; edge pixels are repeated."""
    margin_x, margin_y = box.width * (reach - 1) // 2, box.height * (reach - 1) // 2
    left, top = box.x - margin_x, box.y - margin_y
    right, bottom = box.x + box.width + margin_x, box.y + box.height + margin_y
    height, width = gray.shape
    crop = gray[max(0, top) : max(0, bottom), max(0, left) : max(0, right)]
    if not crop.size:
        return np.zeros((_SIDE * reach, _SIDE * reach), np.uint8)
    beyond = max(0, -top), max(0, bottom - height), max(0, -left), max(0, right - width)
    if any(beyond):
        crop = np.asarray(cv2.copyMakeBorder(crop, *beyond, cv2.BORDER_REPLICATE), np.uint8)
    return downscale(crop, (_SIDE * reach, _SIDE * reach))
