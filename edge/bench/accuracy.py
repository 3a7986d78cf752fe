"""How well a loop sees a clip that nobody annotated.

The ground truth is what an exhaustive search finds again and again: boxes of successive frames are linked to
tracks, and a track with too few detections is a false alarm.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

import cv2
import numpy as np

from edge.detection.haar import find_cascade
from edge.detection.image import equalize
from edge.tracking.assignment import assign
from edge.types import UNCERTAIN, Box, Gray

_LINK_IOU = 0.3  # least overlap of one face's boxes in two frames
_MATCH_IOU = 0.5  # least overlap of two boxes of one face in one frame, as is usual
_SAME_PLACE_IOU = 0.2  # of two boxes of one frame that overlap more, one is mostly a false alarm
_MAX_GAP_S = 0.5
_MIN_DETECTIONS = 5  # of a track
_MIN_DETECTED_SHARE = 0.5  # of the frames between a track's first and last detection


@dataclass
class GroundTruthTrack:
    """A face in the frames of a clip.

    Attributes:
        detected: {frame index: box} for the frames in which the search found the face.
        boxes: The same, and between them boxes that are interpolated linearly.
    """

    detected: dict[int, Box]
    boxes: dict[int, Box] = field(default_factory=dict)


class Observation(NamedTuple):
    """A face as a loop reports it.

    Attributes:
        box: Where the face is.
        id: Its identity; 0 if the loop does not track faces.
        emotion: Label, or "uncertain".
        gender: Label of the apparent gender, or "uncertain".
    """

    box: Box
    id: int
    emotion: str
    gender: str


@dataclass(frozen=True)
class Score:
    """How well a loop sees a clip.

    Two boxes match if their IoU is at least 0.5. A true face is a face of a `GroundTruthTrack`.

    Attributes:
        recall: Share of the reference loop's boxes on true faces that this loop's boxes match.
        precision: Share of this loop's boxes that match a true face.
        label_changes: Changes from one emotion or apparent gender to another, per second that a face is
            visible; uncertain labels in between are ignored.
        uncertain: Share of the labels on true faces that are uncertain.
        id_switches: How often the identity of a true face changed.
        faces: Number of the reference loop's boxes on true faces.
    """

    recall: float
    precision: float
    label_changes: float
    uncertain: float
    id_switches: int
    faces: int


def exhaustive_detections(gray: Gray) -> list[Box]:
    """Returns everything that the cascade finds in a frame, at a scale factor of 1.05 and two neighbours.

    The search runs on the frame as it is and with its histogram equalized. The frame is padded with copies of
    its border, so that a face which the border cuts off is found too.

    Args:
        gray: (H, W) uint8.
    """
    height, width = gray.shape
    border = max(height, width) // 8
    padded = np.asarray(
        cv2.copyMakeBorder(gray, border, border, border, border, cv2.BORDER_REPLICATE), np.uint8
    )
    cascade = cv2.CascadeClassifier(str(find_cascade()))
    boxes: list[Box] = []
    for image in (padded, equalize(padded)):
        for values in cascade.detectMultiScale(image, scaleFactor=1.05, minNeighbors=2):
            x, y, *size_wh = (int(value) for value in values)
            box = Box(x - border, y - border, *size_wh).clipped((height, width))
            if box is not None and all(box.iou(other) < _MATCH_IOU for other in boxes):
                boxes.append(box)
    return boxes


def ground_truth_tracks(
    detections: Sequence[Sequence[Box]], times: Sequence[float]
) -> list[GroundTruthTrack]:
    """Links detections of successive frames to the faces that a clip shows.

    A track that was detected in fewer than five frames, or in less than half of the frames between its first
    and its last detection, is a false alarm and left out.

    Args:
        detections: Boxes of each frame, from `exhaustive_detections`.
        times: Time of each frame, in seconds.
    """
    tracks: list[GroundTruthTrack] = []
    for index, boxes in enumerate(detections):
        recent = [track for track in tracks if times[index] - times[max(track.detected)] <= _MAX_GAP_S]
        last_boxes = [track.detected[max(track.detected)] for track in recent]
        pairs = assign([[_cost(last, box, _LINK_IOU) for box in boxes] for last in last_boxes])
        for row, column in pairs:
            recent[row].detected[index] = boxes[column]
        linked = {column for _, column in pairs}
        tracks += [GroundTruthTrack({index: box}) for column, box in enumerate(boxes) if column not in linked]
    confirmed = [track for track in tracks if _is_confirmed(track)]
    for track in confirmed:
        track.boxes = _interpolated(track.detected)
    # Two faces are not in the same place for long: of two tracks that are, the longer one is the face.
    distinct: list[GroundTruthTrack] = []
    for track in sorted(confirmed, key=lambda each: -len(each.detected)):
        if not any(_in_same_place(track, other) for other in distinct):
            distinct.append(track)
    return distinct


def score(
    tracks: Sequence[GroundTruthTrack],
    reference: Sequence[Sequence[Observation]],
    observed: Sequence[Sequence[Observation]],
    times: Sequence[float],
) -> Score:
    """Compares what a loop reported with the ground truth and with a reference loop.

    Args:
        tracks: From `ground_truth_tracks`.
        reference: What the reference loop reported of each frame; recall is measured against it.
        observed: What the loop reported of each frame.
        times: Time of each frame, in seconds.
    """
    by_track: list[list[tuple[float, Observation]]] = [[] for _ in tracks]
    matched_wanted = all_wanted = all_boxes = matched_boxes = 0
    for index, (expected, faces) in enumerate(zip(reference, observed, strict=True)):
        true = {number: track.boxes[index] for number, track in enumerate(tracks) if index in track.boxes}
        pairs = _matched(list(true.values()), [face.box for face in faces])
        for row, column in pairs:
            by_track[list(true)[row]].append((times[index], faces[column]))
        wanted = [
            expected[column].box
            for _, column in _matched(list(true.values()), [face.box for face in expected])
        ]
        matched_wanted += len(_matched(wanted, [face.box for face in faces]))
        all_wanted += len(wanted)
        all_boxes += len(faces)
        matched_boxes += len(pairs)
    seconds = sum(track[-1][0] - track[0][0] for track in by_track if track)
    labels = [[label_of(face) for _, face in track] for label_of in _LABELS for track in by_track]
    certain = [[label for label in each if label != UNCERTAIN] for each in labels]
    identities = [[face.id for _, face in track] for track in by_track]
    return Score(
        recall=matched_wanted / all_wanted if all_wanted else 1.0,
        precision=matched_boxes / all_boxes if all_boxes else 1.0,
        label_changes=sum(map(_changes, certain)) / seconds if seconds else 0.0,
        uncertain=1 - sum(map(len, certain)) / max(1, sum(map(len, labels))),
        id_switches=sum(map(_changes, identities)),
        faces=all_wanted,
    )


_LABELS: tuple[Callable[[Observation], str], ...] = (lambda face: face.emotion, lambda face: face.gender)


def _is_confirmed(track: GroundTruthTrack) -> bool:
    detections, span = len(track.detected), max(track.detected) - min(track.detected) + 1
    return detections >= _MIN_DETECTIONS and detections >= _MIN_DETECTED_SHARE * span


def _in_same_place(track: GroundTruthTrack, other: GroundTruthTrack) -> bool:
    """Whether the track overlaps the other one in more than half of its frames."""
    common = track.boxes.keys() & other.boxes.keys()
    overlapping = sum(track.boxes[index].iou(other.boxes[index]) > _SAME_PLACE_IOU for index in common)
    return overlapping > 0.5 * len(track.boxes)


def _matched(boxes: Sequence[Box], others: Sequence[Box]) -> list[tuple[int, int]]:
    return assign([[_cost(box, other, _MATCH_IOU) for other in others] for box in boxes])


def _cost(box: Box, other: Box, min_iou: float) -> float:
    """The cost of a pair for `assign`; infinite if the boxes overlap less than `min_iou`."""
    iou = box.iou(other)
    return 1 - iou if iou >= min_iou else float("inf")


def _changes(values: Sequence[object]) -> int:
    return sum(value != following for value, following in pairwise(values))


def _interpolated(detected: dict[int, Box]) -> dict[int, Box]:
    """Adds a box for every frame between two detections."""
    boxes = dict(detected)
    for before, after in pairwise(sorted(detected)):
        start, end = detected[before], detected[after]
        for index in range(before + 1, after):
            part = (index - before) / (after - before)
            boxes[index] = Box(*(round(a + part * (b - a)) for a, b in zip(start, end, strict=True)))
    return boxes
