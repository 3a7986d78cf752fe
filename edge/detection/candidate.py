"""A square that may hold a face."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from edge.types import Box

# Squares are of one face if they overlap this much (IoU), or if this share of the smaller lies in the larger.
_SAME_IOU = 0.3
_SAME_SHARE = 0.65


class Candidate(NamedTuple):
    """A square of the frame and the confidence that it holds a face. It may reach beyond the frame.

    Attributes:
        x: Centre of the face in pixels from the frame's left edge.
        y: Centre of the face in pixels from the frame's upper edge.
        side: Side of the square in pixels: that of the box that the Haar cascade would draw.
        confidence: 0 to 1.
        roll_deg: Turn of the head in the image plane, clockwise in degrees; 0 where it is not known.
        yaw: Turn of the head to either side, 0 frontal to 1 profile; 0 where it is not known.
    """

    x: float
    y: float
    side: float
    confidence: float
    roll_deg: float = 0.0
    yaw: float = 0.0

    def box(self) -> Box:
        """Returns the square in whole pixels; it may reach beyond the frame."""
        side = max(1, round(self.side))
        half = side / 2
        return Box(round(self.x - half), round(self.y - half), side, side)

    def iou(self, other: Candidate) -> float:
        """Returns the intersection over union of both squares, 0 to 1."""
        overlap = self._intersection(other)
        return overlap / (self.side**2 + other.side**2 - overlap)

    def touching(self, others: Iterable[Candidate]) -> list[Candidate]:
        """Returns the squares that overlap this one at all.

        Of many faces few touch each other: this spares most pairs a closer comparison.
        """
        x, y, side = self.x, self.y, self.side
        return [
            other
            for other in others
            if abs(other.x - x) < (reach := (other.side + side) / 2) and abs(other.y - y) < reach
        ]

    def is_same_face(self, other: Candidate) -> bool:
        """Whether both squares can only be of one face: they overlap much, or one lies mostly in the other.

        A mouth or an eye in a large face resembles a small face.
        """
        overlap = self._intersection(other)
        if not overlap:
            return False
        smaller, larger = sorted((self.side**2, other.side**2))
        return overlap >= _SAME_IOU * (smaller + larger - overlap) or overlap >= _SAME_SHARE * smaller

    def _intersection(self, other: Candidate) -> float:
        side, other_side = self.side, other.side
        reach = (side + other_side) / 2
        width, height = reach - abs(self.x - other.x), reach - abs(self.y - other.y)
        if width <= 0 or height <= 0:
            return 0.0
        return min(width, side, other_side) * min(height, side, other_side)


def distinct(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Keeps of candidates that are of one face only the most confident one (non-maximum suppression).

    Args:
        candidates: In any order.

    Returns:
        The kept ones, most confident first.
    """
    return _suppress(candidates, Candidate.is_same_face)


def without_duplicates(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Keeps of candidates that overlap much only the most confident one, but an eye as well as its face.

    Before they are judged nobody knows which of the two is right.

    Args:
        candidates: In any order.

    Returns:
        The kept ones, most confident first.
    """
    return _suppress(candidates, lambda one, other: one.iou(other) >= _SAME_IOU)


def _suppress(
    candidates: Iterable[Candidate], are_one: Callable[[Candidate, Candidate], bool]
) -> list[Candidate]:
    kept: list[Candidate] = []
    for candidate in sorted(candidates, key=lambda each: -each.confidence):
        if not any(are_one(candidate, other) for other in candidate.touching(kept)):
            kept.append(candidate)
    return kept
