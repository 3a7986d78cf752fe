"""Which faces are true, though nobody drew them: those that a thorough search finds again and again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import cv2
import numpy as np

from edge.detection.haar import find_cascade
from edge.detection.image import equalize
from edge.tracking.assignment import assign
from edge.types import UNCERTAIN, Box, Gray

_LINKED = 0.3  # IoU of one face in two frames
_MATCHED = 0.5  # IoU of one face in one frame, as is usual
_CLOSE = 0.2  # IoU beyond which two boxes of one frame are of one face, mostly
_GAP_S = 0.5
_LEAST = 5  # frames in which a face was found
_SHARE = 0.5  # of the frames from the first to the last


@dataclass
class GroundTruthTrack:
    """A face through the frames of a clip.

    Attributes:
        found: {frame: its box} where it was detected.
        boxes: the same, with those in between put in by straight lines.
    """

    found: dict[int, Box]
    boxes: dict[int, Box] = field(default_factory=dict)


@dataclass(frozen=True)
class Observation:
    """What a loop says of one face. `id` is 0 where it knows no identities."""

    box: Box
    id: int
    emotion: str
    gender: str


@dataclass(frozen=True)
class Score:
    """How well a loop saw a clip.

    Attributes:
        recall: share of the reference's boxes on true faces that it has too, IoU at least 0.5.
        precision: share of its boxes that lie on a true face, IoU at least 0.5.
        label_changes: from one emotion or apparent gender to another, a second that a face is seen;
            to be uncertain in between is no change.
        uncertain: share of the labels of true faces that are none.
        id_switches: how often a true face's identity changed.
        faces: the reference's boxes on true faces.
    """

    recall: float
    precision: float
    label_changes: float
    uncertain: float
    id_switches: int
    faces: int


def exhaustive_detections(gray: Gray) -> list[Box]:
    """All that the cascade finds in a frame, as it is and evened, at a factor of 1.05 and two neighbours.

    Beyond its edges the picture goes on with their pixels: a face that they cut is a face.

    Args:
        gray: (H, W) uint8.
    """
    height, width = gray.shape
    beyond = max(height, width) // 8
    larger = np.asarray(
        cv2.copyMakeBorder(gray, beyond, beyond, beyond, beyond, cv2.BORDER_REPLICATE), np.uint8
    )
    cascade = cv2.CascadeClassifier(str(find_cascade()))
    found: list[Box] = []
    for picture in (larger, equalize(larger)):
        for values in cascade.detectMultiScale(picture, scaleFactor=1.05, minNeighbors=2):
            x, y, *size_wh = (int(value) for value in values)
            box = Box(x - beyond, y - beyond, *size_wh).clipped((height, width))
            if box is not None and all(box.iou(other) < _MATCHED for other in found):
                found.append(box)
    return found


def true_faces(found: Sequence[Sequence[Box]], times: Sequence[float]) -> list[GroundTruthTrack]:
    """The faces that a clip shows.

    Boxes of successive frames are linked where they overlap; what was found in fewer than five frames, or
    in less than half of those from its first to its last, is a false alarm.

    Args:
        found: of each frame what was found, from `thorough`.
        times: of the frames in seconds.
    """
    chains: list[GroundTruthTrack] = []
    for number, boxes in enumerate(found):
        recent = [chain for chain in chains if times[number] - times[max(chain.found)] <= _GAP_S]
        ends = [chain.found[max(chain.found)] for chain in recent]
        pairs = assign([[_far(end, box, _LINKED) for box in boxes] for end in ends])
        for row, column in pairs:
            recent[row].found[number] = boxes[column]
        linked = {column for _, column in pairs}
        chains += [GroundTruthTrack({number: box}) for place, box in enumerate(boxes) if place not in linked]
    true = [
        chain
        for chain in chains
        if len(chain.found) >= _LEAST
        and len(chain.found) >= _SHARE * (max(chain.found) - min(chain.found) + 1)
    ]
    for chain in true:
        chain.boxes = _filled(chain.found)
    # Two faces are not in one place for long: of two chains that are, the longer one is the face.
    alone: list[GroundTruthTrack] = []
    for chain in sorted(true, key=lambda each: -len(each.found)):
        if not any(_one_place(chain, other) for other in alone):
            alone.append(chain)
    return alone


def score(
    chains: Sequence[GroundTruthTrack],
    reference: Sequence[Sequence[Observation]],
    seen: Sequence[Sequence[Observation]],
    times: Sequence[float],
) -> Score:
    """How well a loop saw what is there.

    Args:
        chains: from `true_faces`.
        reference: of each frame what the loop says that others are compared with.
        seen: the same of the loop.
        times: of the frames in seconds.
    """
    said: list[list[tuple[float, Observation]]] = [[] for _ in chains]
    hits = found = boxes = right = 0
    for number, (expected, faces) in enumerate(zip(reference, seen, strict=True)):
        true = {place: chain.boxes[number] for place, chain in enumerate(chains) if number in chain.boxes}
        pairs = _paired(list(true.values()), [face.box for face in faces])
        for row, column in pairs:
            said[list(true)[row]].append((times[number], faces[column]))
        known = _paired(list(true.values()), [face.box for face in expected])
        wanted = [expected[column].box for _, column in known]
        hits += len(_paired(wanted, [face.box for face in faces]))
        found += len(wanted)
        boxes += len(faces)
        right += len(pairs)
    seconds = sum(each[-1][0] - each[0][0] for each in said if each)
    labels = [[label(one) for _, one in each] for label in _LABELS for each in said]
    named = [[label for label in each if label != UNCERTAIN] for each in labels]
    identities = [[one.id for _, one in each] for each in said]
    return Score(
        recall=hits / found if found else 1.0,
        precision=right / boxes if boxes else 1.0,
        label_changes=sum(map(_changes, named)) / seconds if seconds else 0.0,
        uncertain=1 - sum(map(len, named)) / max(1, sum(map(len, labels))),
        id_switches=sum(map(_changes, identities)),
        faces=found,
    )


_LABELS: tuple[Callable[[Observation], str], ...] = (lambda one: one.emotion, lambda one: one.gender)


def _one_place(chain: GroundTruthTrack, other: GroundTruthTrack) -> bool:
    common = chain.boxes.keys() & other.boxes.keys()
    close = sum(chain.boxes[number].iou(other.boxes[number]) > _CLOSE for number in common)
    return close > _SHARE * len(chain.boxes)


def _paired(boxes: Sequence[Box], others: Sequence[Box]) -> list[tuple[int, int]]:
    return assign([[_far(box, other, _MATCHED) for other in others] for box in boxes])


def _far(one: Box, other: Box, least: float) -> float:
    overlap = one.iou(other)
    return 1 - overlap if overlap >= least else float("inf")


def _changes(said: Sequence[object]) -> int:
    return sum(one != other for one, other in pairwise(said))


def _filled(found: dict[int, Box]) -> dict[int, Box]:
    """The boxes with those of the frames in between."""
    numbers = sorted(found)
    filled = dict(found)
    for before, after in pairwise(numbers):
        one, other = found[before], found[after]
        for number in range(before + 1, after):
            part = (number - before) / (after - before)
            sides = (
                round(a + part * (b - a))
                for a, b in (
                    (one.x, other.x),
                    (one.y, other.y),
                    (one.width, other.width),
                    (one.height, other.height),
                )
            )
            filled[number] = Box(*sides)
    return filled
