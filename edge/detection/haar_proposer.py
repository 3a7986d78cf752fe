"""Proposes faces with OpenCV's Haar cascade, asked for much: a network judges what it names."""

from __future__ import annotations

import math
from pathlib import Path

from edge.detection.candidate import Candidate
from edge.detection.haar import WINDOW_PX, find_cascade, load_cascade, to_list
from edge.detection.image import downscale, equalize
from edge.detection.search import SearchPart, SearchScale, plan_search
from edge.types import Gray

# A window's time grows with its pixels; the cascade takes about 2 ms for as many on a desktop processor.
_SCALE = SearchScale((WINDOW_PX, 2.5 * WINDOW_PX), max_pixels=20_000)
_FACTOR = 1.15
_MIN_NEIGHBORS = 1
_MAX_CANDIDATES = 24  # in a window, those with the most hits
_SURE = 8  # as many hits count as certain


class HaarProposer:
    """Proposes upright faces that look towards the camera.

    Attributes:
        name: Path of the cascade file.
        patience: 3.0; the cascade takes ten times as long as the proposal network.
    """

    patience = 3.0

    def __init__(self, cascade: Path | None = None, smallest_px: float = WINDOW_PX) -> None:
        """Loads the cascade.

        Args:
            cascade: The cascade's file; None for OpenCV's own or the system's.
            smallest_px: Side of the smallest face in pixels of the frame.

        Raises:
            MissingDependencyError: this OpenCV has no cascade classifier, or there is no cascade file.
            ConfigError: the given file is missing or not a cascade.
        """
        path = cascade or find_cascade()
        self.name = str(path)
        self._cascade = load_cascade(path)
        self._smallest_px = smallest_px

    def plan(self, frame_hw: tuple[int, int]) -> tuple[SearchPart, ...]:
        """Returns the parts in which a frame of (height, width) is searched, smallest faces first."""
        return plan_search(frame_hw, self._smallest_px, _SCALE)

    def propose(self, gray: Gray, part: SearchPart) -> list[Candidate]:
        """Searches one part of a frame.

        Args:
            gray: (H, W) uint8.
            part: A part of the plan for frames of this size.

        Returns:
            Squares that may hold a face, those with the most overlapping hits first.
        """
        area = part.area
        window = gray[area.y : area.y + area.height, area.x : area.x + area.width]
        largest = math.ceil(_SCALE.sides_px[1])
        hits, counts = self._cascade.detectMultiScale2(
            equalize(downscale(window, part.size_wh)),
            scaleFactor=_FACTOR,
            minNeighbors=_MIN_NEIGHBORS,
            minSize=(WINDOW_PX, WINDOW_PX),
            maxSize=(largest, largest),
        )
        # OpenCV's order depends on its threads.
        ordered = sorted(zip(to_list(counts), to_list(hits), strict=True), key=lambda hit: (-hit[0], hit[1]))
        scale = part.reduction
        return [
            Candidate(
                area.x + (left + side / 2) * scale,
                area.y + (top + side / 2) * scale,
                side * scale,
                min(count / _SURE, 1.0),
            )
            for count, (left, top, side, _) in ordered[:_MAX_CANDIDATES]
        ]
