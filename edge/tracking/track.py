"""One track: what the tracker knows about a face, and how far another square is from it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from edge.detection.candidate import Candidate
from edge.tracking.template import FaceTemplate
from edge.types import Gray, TrackedFace

# A face that was just seen may only take over a detection that overlaps it this much (IoU).
_MIN_OVERLAP = 0.1
# A detection further away than this many face sizes, or this many times larger, is another face.
_MAX_DISTANCE = 1.5
_MAX_SIZE_RATIO = 2.0
# One frame says no more for or against a face than this many nats: neighbouring frames are nearly alike.
_MAX_STEP = 2.0
# What a look must be surer of than even odds, in nats, to count for a face: a network that errs on one frame
# errs on the next ones, too.
_PRIOR = 0.5
_MAX_EVIDENCE = 8.0
# Share of a new measurement in the smoothed square; the rest is what was known before.
_POSITION_GAIN, _SIZE_GAIN, _ROLL_GAIN = 0.7, 0.35, 0.35
_TEMPLATE_S = 0.2  # the look of a face is stored anew after as many seconds
# Frames further apart than this say nothing about the speed of a face.
_MAX_GAP_S = 0.25


@dataclass
class Track:
    """A face that is followed; known to the tracker alone, which hands out `TrackedFace`.

    Attributes:
        id: identity from 1, never given twice; 0 until the track is confirmed.
        square: where the face is; may reach beyond the frame.
        template: what the face looked like when the judge last was sure of it.
        evidence: sum of the log odds of all looks, each limited, that a face is there.
        began_s: time of the first detection in seconds.
        judged_s: time at which the judge last saw a face there.
        seen_s: time at which the face was last seen by the judge or matched by its template.
        speed: pixels a second to the right and down.
        template_s: time of the template.
        looks: number of looks that were weighed.
        looked_s: time of the last look.
    """

    id: int
    square: Candidate
    template: FaceTemplate
    evidence: float
    began_s: float
    judged_s: float
    seen_s: float
    speed: tuple[float, float] = (0.0, 0.0)
    template_s: float = -math.inf
    looks: int = 1
    looked_s: float = -math.inf

    @classmethod
    def begin(cls, gray: Gray, square: Candidate, at_s: float) -> Track:
        """Begins a track at a detection."""
        template = FaceTemplate(gray, square.box())
        track = cls(0, square, template, evidence(square.confidence), at_s, at_s, at_s)
        track.template_s = at_s
        return track

    def predicted(self, at_s: float) -> Candidate:
        """Returns where the face should be at a time."""
        gap_s = min(at_s - self.seen_s, _MAX_GAP_S)
        (x, y, side, confidence, roll_deg, yaw), (right, down) = self.square, self.speed
        return Candidate(x + right * gap_s, y + down * gap_s, side, confidence, roll_deg, yaw)

    def see(self, gray: Gray, found: Candidate, at_s: float) -> None:
        """Moves the track to where the judge saw the face."""
        before, gap_s = self.square, at_s - self.seen_s
        self._move(found, _POSITION_GAIN, _SIZE_GAIN)
        if 0 < gap_s <= _MAX_GAP_S:
            moved = (self.square.x - before.x) / gap_s, (self.square.y - before.y) / gap_s
            self.speed = (self.speed[0] + moved[0]) / 2, (self.speed[1] + moved[1]) / 2
        else:
            self.speed = (0.0, 0.0)
        if at_s - self.template_s >= _TEMPLATE_S:
            self.template, self.template_s = FaceTemplate(gray, self.square.box()), at_s
        self.judged_s = self.seen_s = at_s

    def jump(self, gray: Gray, found: Candidate, at_s: float) -> None:
        """Moves the track to a detection that need not be near."""
        self.square, self.speed = found, (0.0, 0.0)
        self.template, self.template_s = FaceTemplate(gray, found.box()), at_s
        self.judged_s = self.seen_s = at_s

    def weigh(self, confidence: float) -> None:
        """Adds one look to the evidence."""
        added = self.evidence + evidence(confidence)
        self.evidence = max(-_MAX_EVIDENCE, min(added, _MAX_EVIDENCE))
        self.looks += 1

    def snapshot(self) -> TrackedFace:
        """Returns what other stages may know of the track, as it is now."""
        square = self.square
        return TrackedFace(self.id, square.box(), self.seen_s, square.confidence, square.roll_deg)

    def distance(self, other: Candidate, at_s: float) -> float:
        """Returns how unlikely it is that a detection is this face.

        Args:
            other: the detection.
            at_s: time of the frame in seconds.

        Returns:
            Distance of the centres in face sizes, plus the ratio of the sizes less 1; infinity where the
            detection cannot be this face.
        """
        square = self.square
        if self.seen_s == at_s and square.iou(other) < _MIN_OVERLAP:
            return math.inf  # the face was seen elsewhere in this very frame
        distance = math.hypot(square.x - other.x, square.y - other.y) / ((square.side + other.side) / 2)
        ratio = max(square.side, other.side) / min(square.side, other.side)
        near = distance < _MAX_DISTANCE and ratio < _MAX_SIZE_RATIO
        return distance + ratio - 1 if near else math.inf

    def _move(self, found: Candidate, position_gain: float, size_gain: float) -> None:
        x, y, side, _, roll_deg, _ = self.square
        found_x, found_y, found_side, confidence, found_roll_deg, yaw = found
        turn = (found_roll_deg - roll_deg + 180) % 360 - 180
        self.square = Candidate(
            x + (found_x - x) * position_gain,
            y + (found_y - y) * position_gain,
            side * (found_side / side) ** size_gain,
            confidence,
            roll_deg + turn * _ROLL_GAIN,
            yaw,
        )


def evidence(confidence: float) -> float:
    """Returns the log odds of a confidence, limited in both directions."""
    odds = max(confidence, 1e-6) / max(1 - confidence, 1e-6)
    return max(-_MAX_STEP, min(math.log(odds) - _PRIOR, _MAX_STEP))
