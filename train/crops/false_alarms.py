"""Boxes that were taken for faces, drawn so that no single image decides what a network learns from them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

# Of boxes of one image that overlap more than this (IoU), one is kept.
_OVERLAP = 0.4


class FalseAlarms:
    """Boxes without a face, by image."""

    def __init__(self, boxes: npt.NDArray[np.int32]) -> None:
        """Keeps boxes of which no two are nearly the same.

        Args:
            boxes: (M, 5) int32: index of the image, x, y, width and height.
        """
        self._of_image = [_distinct(boxes[boxes[:, 0] == image]) for image in np.unique(boxes[:, 0])]
        # An image with a hundred boxes counts as much as ten images with one.
        weights = np.sqrt([len(each) for each in self._of_image])
        self._ends = np.cumsum(weights / weights.sum()) if len(weights) else np.zeros(0)

    def __len__(self) -> int:
        return sum(map(len, self._of_image))

    def draw(self, random: np.random.Generator) -> tuple[int, ...]:
        """Returns one of the boxes: index of the image, x, y, width and height."""
        image = min(int(np.searchsorted(self._ends, random.random())), len(self._of_image) - 1)
        boxes = self._of_image[image]
        return tuple(map(int, boxes[random.integers(len(boxes))]))


def _distinct(boxes: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    kept: list[int] = []
    low, high = boxes[:, 1:3].astype(float), (boxes[:, 1:3] + boxes[:, 3:]).astype(float)
    area = (high - low).prod(axis=1)
    for index in range(len(boxes)):
        inner = np.minimum(high[kept], high[index]) - np.maximum(low[kept], low[index])
        overlap = np.clip(inner, 0, None).prod(axis=1)
        if not (overlap > _OVERLAP * (area[kept] + area[index] - overlap)).any():
            kept.append(index)
    return boxes[kept]
