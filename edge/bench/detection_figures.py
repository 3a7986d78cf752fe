"""How well a loop finds and follows the faces of a clip whose truth is known.

A reported box is a hit if it overlaps a true face by an IoU of at least 0.4; a true face has one hit at most,
chosen for the greatest sum of overlaps. A box on an ignored face, or on one below 24 pixels, which nobody
needs to find, is neither right nor wrong.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from edge.bench.accuracy import Observation
from edge.bench.truth import TrueFace, Truth
from edge.tracking.assignment import assign
from edge.types import UNCERTAIN

_HIT_IOU = 0.4
# Sides of true boxes in pixels: large faces are at least the second, small ones between the two.
_SMALL_PX, _LARGE_PX = 24, 40
_APPROACH = "approach"


@dataclass
class DetectionFigures:
    """Counts of one clip or of several; those of two clips can be added.

    Attributes:
        large_faces: True faces of at least 40 pixels.
        large_hits: Hits on them.
        small_faces: True faces of 24 to 40 pixels.
        small_hits: Hits on them.
        wrong: Boxes that lie on no face.
        covered: Share of the frames in which each person of at least 24 pixels was reported.
        first_s: Seconds from the moment at which each of these was visible to the first report; None for
            never.
        first_px: Side of the box at which each approaching person was first reported; None for never.
        switches: Changes of a person's identity.
        label_changes: Changes from one certain label to another.
        uncertain_labels: Labels of hits that were "uncertain".
        labels: All labels of hits.
        tracked_s: Seconds in which persons were reported, added up.
        alarm_s: Seconds in which something was reported that is no face.
        seconds: Length of the clips.
    """

    large_faces: int = 0
    large_hits: int = 0
    small_faces: int = 0
    small_hits: int = 0
    wrong: int = 0
    covered: list[float] = field(default_factory=list)
    first_s: list[float | None] = field(default_factory=list)
    first_px: list[float | None] = field(default_factory=list)
    switches: int = 0
    label_changes: int = 0
    uncertain_labels: int = 0
    labels: int = 0
    tracked_s: float = 0.0
    alarm_s: float = 0.0
    seconds: float = 0.0

    def __add__(self, other: DetectionFigures) -> DetectionFigures:
        return DetectionFigures(**{name: value + getattr(other, name) for name, value in vars(self).items()})

    @property
    def precision(self) -> float | None:
        """Share of the boxes that are hits, of those that are right or wrong; None without any."""
        hits = self.large_hits + self.small_hits
        return hits / (hits + self.wrong) if hits + self.wrong else None

    @property
    def people(self) -> int:
        """Number of persons of at least 24 pixels."""
        return len(self.first_s)

    @property
    def never_found(self) -> int:
        """Number of these that were never reported."""
        return self.first_s.count(None)


def detection_figures(
    truth: Truth, reported: Sequence[Sequence[Observation]], times: Sequence[float]
) -> DetectionFigures:
    """Compares what a loop reported with the truth.

    Args:
        truth: The faces of each frame.
        reported: What the loop reported for each frame.
        times: Capture time of each frame in seconds, at least two.
    """
    frame_s = float(np.median(np.diff(times)))
    figures = DetectionFigures(seconds=frame_s * len(times))
    people: defaultdict[int, list[_Sighting]] = defaultdict(list)
    for faces, observations, at_s in zip(truth.frames, reported, times, strict=True):
        wanted = [face for face in faces if not face.ignore]
        hits = _match(wanted, observations)
        for index, face in enumerate(wanted):
            hit = observations[hits[index]] if index in hits else None
            if face.side >= _LARGE_PX:
                figures.large_faces += 1
                figures.large_hits += hit is not None
            elif face.side >= _SMALL_PX:
                figures.small_faces += 1
                figures.small_hits += hit is not None
            if face.id:
                people[face.id].append(_Sighting(at_s, face, hit))
        others = [each for index, each in enumerate(observations) if index not in hits.values()]
        wrong = [each for each in others if not _is_excused(each, faces)]
        figures.wrong += len(wrong)
        figures.alarm_s += frame_s * bool(wrong)
    for sightings in people.values():
        _add_person(figures, sightings, frame_s, approaches=truth.group == _APPROACH)
    return figures


@dataclass(frozen=True)
class _Sighting:
    """A person in one frame, and the report of it, if there is one."""

    at_s: float
    face: TrueFace
    hit: Observation | None


def _add_person(
    figures: DetectionFigures, sightings: Sequence[_Sighting], frame_s: float, *, approaches: bool
) -> None:
    """Adds the figures of one person of a clip."""
    visible = [each for each in sightings if each.face.side >= _SMALL_PX]
    if not visible:
        return
    found = [each for each in sightings if each.hit is not None]
    figures.covered.append(sum(each.hit is not None for each in visible) / len(visible))
    # A face that is reported while it is still smaller than 24 pixels is reported at once.
    figures.first_s.append(max(0.0, found[0].at_s - visible[0].at_s) if found else None)
    if approaches:
        figures.first_px.append(found[0].face.side if found else None)
    hits = [each.hit for each in found if each.hit is not None]
    figures.tracked_s += frame_s * len(hits)
    figures.switches += _changes([hit.id for hit in hits])
    for labels in ([hit.emotion for hit in hits], [hit.gender for hit in hits]):
        figures.labels += len(labels)
        figures.uncertain_labels += labels.count(UNCERTAIN)
        figures.label_changes += _changes([label for label in labels if label != UNCERTAIN])


def _match(faces: Sequence[TrueFace], observations: Sequence[Observation]) -> dict[int, int]:
    """Returns {index of a face: index of its hit}."""
    costs = [
        [1 - iou if (iou := face.box.iou(each.box)) >= _HIT_IOU else np.inf for each in observations]
        for face in faces
    ]
    return dict(assign(costs))


def _is_excused(observation: Observation, faces: Iterable[TrueFace]) -> bool:
    """Whether a box that is no hit lies on a face that is ignored or too small to be wanted."""
    return any(
        (face.ignore or face.side < _SMALL_PX) and face.box.iou(observation.box) >= _HIT_IOU for face in faces
    )


def _changes(values: Sequence[object]) -> int:
    return sum(one != other for one, other in pairwise(values))
