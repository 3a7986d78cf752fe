"""Follows a face from one frame to the next by how it looks, at a fiftieth of what a search costs."""

from __future__ import annotations

import math

import cv2
import numpy as np

from edge.detection.image import downscale
from edge.types import Box, Gray

_SIDE = 32  # a face's side in pixels of the reduced copies that are compared
_REACH = 2  # how far around a face it is looked for, in its own sizes; 2 means half of its size each way


class FaceTemplate:
    """What a face looked like when it was last found."""

    def __init__(self, gray: Gray, box: Box) -> None:
        """Keeps a copy of 32x32 pixels.

        Args:
            gray: (H, W) uint8.
            box: of the face in it.
        """
        self._template = _sample(gray, box, 1)

    def match(self, gray: Gray, box: Box) -> tuple[Box, float]:
        """Where the face is now.

        Args:
            gray: (H, W) uint8.
            box: where it is looked for: up to half of its size away from here, at this size.

        Returns:
            The box, moved, maybe across the picture's edge; and how alike it looks: the normalized
            correlation, -1 to 1, 0 where the picture shows nothing.
        """
        around = _sample(gray, box, _REACH)
        scores = cv2.matchTemplate(around, self._template, cv2.TM_CCOEFF_NORMED)
        _, score, _, (left, top) = cv2.minMaxLoc(scores)
        middle = _SIDE * (_REACH - 1) / 2
        x = box.x + round((left - middle) * box.width / _SIDE)
        y = box.y + round((top - middle) * box.height / _SIDE)
        return Box(x, y, box.width, box.height), score if math.isfinite(score) else 0.0


def _sample(gray: Gray, box: Box, reach: int) -> Gray:
    """(32 reach, 32 reach) uint8: the box and what is around it; beyond the picture its edge goes on."""
    margin_x, margin_y = box.width * (reach - 1) // 2, box.height * (reach - 1) // 2
    left, top = box.x - margin_x, box.y - margin_y
    right, bottom = box.x + box.width + margin_x, box.y + box.height + margin_y
    height, width = gray.shape
    cut = gray[max(0, top) : max(0, bottom), max(0, left) : max(0, right)]
    if not cut.size:
        return np.zeros((_SIDE * reach, _SIDE * reach), np.uint8)
    beyond = max(0, -top), max(0, bottom - height), max(0, -left), max(0, right - width)
    if any(beyond):
        cut = np.asarray(cv2.copyMakeBorder(cut, *beyond, cv2.BORDER_REPLICATE), np.uint8)
    return downscale(cut, (_SIDE * reach, _SIDE * reach))
