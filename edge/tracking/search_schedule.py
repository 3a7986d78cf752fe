"""Decides in which frame which part of the search is due: most promising first, the whole within a period."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np

from edge.detection.search import SearchPart
from edge.types import Gray

_CELLS_WH = (32, 24)
_MIN_CHANGE = 12  # gray levels; a person who moves changes a cell by more, and noise is averaged away
# Small parts are searched together in one frame, up to this many pixels.
_FRAME_PIXELS = 90_000
_MAX_PARTS = 4  # in one frame, where frames are so few that the search would never end otherwise


class SearchSchedule:
    """Spreads one search of the frame over several frames."""

    def __init__(self) -> None:
        self._queue: list[SearchPart] = []
        self._began_s = -math.inf
        self._previous_s = -math.inf
        self._total = 0
        self._reference: Gray | None = None
        self._found: dict[SearchPart, float] = {}

    def reset(self) -> None:
        """Forgets everything, as for frames of another size."""
        self.__init__()  # type: ignore[misc]

    def has_moved(self, gray: Gray) -> bool:
        """Whether the frame, (H, W) uint8, differs from that in which the last search began."""
        reference = self._reference
        return reference is None or _most_change(_cells(gray), reference) >= _MIN_CHANGE

    def due(self, gray: Gray, at_s: float, plan: Sequence[SearchPart], interval_s: float) -> list[SearchPart]:
        """Returns the parts to search in this frame; none where the search rests.

        Args:
            gray: The frame, (H, W) uint8.
            at_s: Time of the frame in seconds.
            plan: The parts of a whole search.
            interval_s: Seconds from the beginning of one search to that of the next.
        """
        gap_s, self._previous_s = at_s - self._previous_s, at_s
        if not self._queue:
            if at_s - self._began_s < interval_s:
                return []
            self._began_s, self._queue, self._total = at_s, self._ordered(gray, plan), len(plan)
        # As many parts as end the search within its period at this rate of frames.
        share = min(1.0, gap_s / interval_s) if interval_s > 0 else 1.0
        wanted = min(_MAX_PARTS, math.ceil(self._total * share))
        taken, pixels = [self._queue.pop(0)], 0
        while self._queue and len(taken) < _MAX_PARTS:
            pixels += taken[-1].pixels
            if len(taken) >= wanted and pixels + self._queue[0].pixels > _FRAME_PIXELS:
                break
            taken.append(self._queue.pop(0))
        return taken

    def found(self, part: SearchPart) -> None:
        """Notes that a face was found in a part: the next search begins with it."""
        self._found = {each: weight / 2 for each, weight in self._found.items() if weight > 0.01}
        self._found[part] = self._found.get(part, 0.0) + 1.0

    def _ordered(self, gray: Gray, plan: Sequence[SearchPart]) -> list[SearchPart]:
        """Returns the parts in which something moved first, then those in which faces were found."""
        reference, self._reference = self._reference, _cells(gray)
        moved = None
        if reference is not None and _most_change(self._reference, reference) >= _MIN_CHANGE:
            moved = np.asarray(cv2.absdiff(self._reference, reference)) >= _MIN_CHANGE
        height, width = gray.shape

        def share_moved(part: SearchPart) -> float:
            if moved is None:
                return 0.0
            area = part.area
            left, top = area.x * _CELLS_WH[0] // width, area.y * _CELLS_WH[1] // height
            right = -(-(area.x + area.width) * _CELLS_WH[0] // width)
            bottom = -(-(area.y + area.height) * _CELLS_WH[1] // height)
            cells = moved[top:bottom, left:right]
            return np.count_nonzero(cells) / cells.size

        return sorted(plan, key=lambda part: -share_moved(part) - self._found.get(part, 0.0))


def _most_change(cells: Gray, reference: Gray) -> float:
    """Returns by how many gray levels the cell that changed most did."""
    return cv2.norm(cells, reference, cv2.NORM_INF)


def _cells(gray: Gray) -> Gray:
    return np.asarray(cv2.resize(gray, _CELLS_WH, interpolation=cv2.INTER_AREA), np.uint8)
