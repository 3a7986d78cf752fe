"""Divides the search of a frame into parts of bounded work: reduced copies, cut into overlapping windows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from edge.types import Box


class SearchPart(NamedTuple):
    """A window of a reduced copy of the frame.

    Attributes:
        area: What of the frame is searched, in pixels of the frame.
        size_wh: Width and height of the reduced window in pixels.
        reduction: Pixels of the frame per pixel of the window.
    """

    area: Box
    size_wh: tuple[int, int]
    reduction: float

    @property
    def pixels(self) -> int:
        """Number of pixels that are searched."""
        return self.size_wh[0] * self.size_wh[1]


class SearchScale(NamedTuple):
    """The faces that one reduced copy is searched for.

    Attributes:
        sides_px: Smallest and largest side of the faces in pixels of the reduced copy.
        max_pixels: A window has at most about this many pixels.
    """

    sides_px: tuple[float, float]
    max_pixels: int


@lru_cache(maxsize=16)
def plan_search(frame_hw: tuple[int, int], smallest_px: float, scale: SearchScale) -> tuple[SearchPart, ...]:
    """Returns the parts that cover a frame and all sizes of faces, smallest faces first.

    Neighbouring windows overlap by the largest face that they are searched for, so that each face lies wholly
    in one of them.

    Args:
        frame_hw: Height and width of the frame.
        smallest_px: Side of the smallest face in pixels of the frame.
        scale: Sizes of faces that one reduced copy is searched for.
    """
    low, high = scale.sides_px
    largest_px = min(frame_hw)
    reductions = [max(1.0, smallest_px / low)]
    # Each copy takes over somewhat below the largest face of the one before.
    while reductions[-1] * high < largest_px:
        reductions.append(reductions[-1] * high / low * _TAKE_OVER)
    return tuple(part for reduction in reductions for part in _windows(frame_hw, reduction, scale))


_TAKE_OVER = 0.8


def _windows(frame_hw: tuple[int, int], reduction: float, scale: SearchScale) -> list[SearchPart]:
    height, width = (side / reduction for side in frame_hw)
    overlap = scale.sides_px[1]
    columns, rows = _grid(width, height, overlap, scale.max_pixels)
    lefts, window_width = _cuts(width, columns, overlap)
    tops, window_height = _cuts(height, rows, overlap)
    parts = []
    for top in tops:
        for left in lefts:
            x, y = round(left * reduction), round(top * reduction)
            right = min(frame_hw[1], round((left + window_width) * reduction))
            bottom = min(frame_hw[0], round((top + window_height) * reduction))
            size_wh = max(1, round((right - x) / reduction)), max(1, round((bottom - y) / reduction))
            parts.append(SearchPart(Box(x, y, right - x, bottom - y), size_wh, reduction))
    return parts


def _grid(width: float, height: float, overlap: float, max_pixels: int) -> tuple[int, int]:
    """Returns the least number of columns and rows whose windows have at most `max_pixels` each."""
    for count in range(1, 1000):
        fitting = [
            (columns, math.ceil(count / columns))
            for columns in range(1, count + 1)
            if _length(width, columns, overlap) * _length(height, math.ceil(count / columns), overlap)
            <= max_pixels
        ]
        if fitting:
            return min(fitting, key=lambda grid: grid[0] * grid[1])
    return 1, 1


def _length(total: float, count: int, overlap: float) -> float:
    """Returns the length of each of `count` overlapping windows that cover `total`."""
    return (total + (count - 1) * overlap) / count


def _cuts(total: float, count: int, overlap: float) -> tuple[Sequence[float], float]:
    """Returns where each of `count` overlapping windows begins, and their length."""
    length = _length(total, count, overlap)
    return [index * (length - overlap) for index in range(count)], length
