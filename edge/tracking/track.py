"""One track: what the tracker knows about a face, and how far another box is from it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from edge.tracking.template import FaceTemplate
from edge.types import Box, TrackedFace

# A face that was just matched by its template may only take over a detection that overlaps it this much
# (IoU).
_MIN_OVERLAP = 0.1
# A detection further away than this many face sizes, or this many times larger, is another face.
_MAX_DISTANCE = 1.5
_MAX_SIZE_RATIO = 2.0


@dataclass
class Track:
    """A face that is followed; known to the tracker alone, which hands out `TrackedFace`.

    Attributes:
        id: identity from 1, never given twice; 0 until the track is confirmed.
        box: where the face is, inside the frame.
        template: what the face looked like when the detector last found it.
        support: sum of the support of all detections.
        began_s: time of the first detection in seconds.
        detected_s: time of the last detection.
        verified_s: time at which the detector was last asked to verify the track.
        seen_s: time at which the face was last detected or matched by its template.
        doubted: whether the last verification did not find the face.
    """

    id: int
    box: Box
    template: FaceTemplate
    support: float
    began_s: float
    detected_s: float
    verified_s: float
    seen_s: float
    doubted: bool = False

    def snapshot(self) -> TrackedFace:
        """Returns what other stages may know of the track, as it is now."""
        return TrackedFace(self.id, self.box, self.seen_s)

    def distance(self, other: Box, at_s: float) -> float:
        """Returns how unlikely it is that a detection is this face.

        Args:
            other: box of the detection.
            at_s: time of the frame in seconds.

        Returns:
            Distance of the centres in face sizes, plus the ratio of the sizes less 1; infinity where the
            detection cannot be this face.
        """
        box = self.box
        if self.seen_s == at_s and box.iou(other) < _MIN_OVERLAP:
            return math.inf  # the template found the face elsewhere; only the detector missed it
        size = (box.width + other.width) / 2
        x = box.x + box.width / 2 - other.x - other.width / 2
        y = box.y + box.height / 2 - other.y - other.height / 2
        distance = (x * x + y * y) ** 0.5 / size
        ratio = max(box.width, other.width) / min(box.width, other.width)
        near = distance < _MAX_DISTANCE and ratio < _MAX_SIZE_RATIO
        return distance + ratio - 1 if near else math.inf
