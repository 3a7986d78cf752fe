"""Figures of a proposal network: which faces it finds, with what precision, and how well it places them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.types import Gray
from train.crops.proposal_targets import decode_maps
from train.crops.validation import ProposalValidation
from train.evaluation.bands import Band, ScoredFaces, face_bands
from train.evaluation.precision_recall import PrecisionRecall, precision_recall

Floats = npt.NDArray[np.float32]
# From (N, size, size) uint8 images to outputs: a float network's, or an int8 file's.
Predict = Callable[[Gray], Floats]

SIDES = ((9.5, 14.0), (14.0, 20.0), (20.0, 36.0))
PRECISIONS = (0.5, 0.8, 0.95)
# A box finds a face if they overlap at least this much (IoU), as in `edge bench --truth`. Of two boxes that
# overlap more, only the one with the higher score is kept.
_OVERLAP = 0.4
_LARGEST_COUNT = 60  # boxes of a crop; the densest crops hold about 20 faces


@dataclass(frozen=True)
class ProposalFigures:
    """What a proposal network finds in validation crops.

    Attributes:
        crops: number of crops.
        faces: number of faces to find.
        curve: precision and recall by the face's logit.
        curves_by_light: the same for the crops that are as they are, and for the dim ones.
        bands: recall by size, roll and light at each of `PRECISIONS`.
        centre_error: median distance between the centres of box and face, in sides of the face.
        side_error: median of |ln(side of the box / side of the face)|.
    """

    crops: int
    faces: int
    curve: PrecisionRecall
    curves_by_light: dict[str, PrecisionRecall]
    bands: tuple[Band, ...]
    centre_error: float
    side_error: float

    @property
    def headlines(self) -> dict[str, float]:
        """The few figures that a run's log holds, {name: 0 to 1}."""
        recall, _ = self.curve.at_precision(0.8)
        return {"average_precision": self.curve.average_precision, "recall": recall}

    def to_dict(self) -> dict[str, Any]:
        """Returns the figures for a JSON file."""
        points = {f"{each:g}": self.curve.at_precision(each) for each in PRECISIONS}
        return {
            "count": self.crops,
            "faces": self.faces,
            "average_precision": round(self.curve.average_precision, 4),
            "recall_at_precision": {name: round(recall, 4) for name, (recall, _) in points.items()},
            "logit_at_precision": {
                name: round(score, 3) if np.isfinite(score) else None for name, (_, score) in points.items()
            },
            "average_precision_by_light": {
                name: round(curve.average_precision, 4) for name, curve in self.curves_by_light.items()
            },
            "bands": {band.name: band.to_dict() for band in self.bands},
            "box_error": {"centre": round(self.centre_error, 4), "log_side": round(self.side_error, 4)},
        }


def proposal_figures(predict: Predict, crops: ProposalValidation) -> ProposalFigures:
    """Evaluates a proposal network.

    Args:
        predict: from (N, size, size) uint8 to (N, cells, cells, 4) float32.
        crops: the crops to evaluate it on.
    """
    logits, boxes = decode_maps(predict(crops.images))
    results = [
        _match(*distinct_boxes(logits[index], boxes[index]), crops.faces[index], crops.ignored[index])
        for index in range(len(crops.images))
    ]
    found = np.concatenate([result.detections for result in results])  # (D, 2): score, hit
    crop_of = np.repeat(np.arange(len(results)), [len(result.detections) for result in results])
    faces = np.concatenate([result.faces for result in results])  # (F, 3): score, centre error, side error
    annotated = np.concatenate(crops.faces)
    dim = np.repeat(crops.dim, [len(each) for each in crops.faces])
    curve = precision_recall(found[:, 0], found[:, 1], len(annotated))
    by_light = {
        name: precision_recall(found[rows, 0], found[rows, 1], int((dim == value).sum()))
        for name, value in (("light as it is", False), ("dim with noise", True))
        for rows in (crops.dim[crop_of] == value,)
    }
    scored = ScoredFaces(faces[:, 0], annotated[:, 2], annotated[:, 3], dim)
    thresholds = {f"{each:g}": curve.at_precision(each)[1] for each in PRECISIONS}
    hit = faces[np.isfinite(faces[:, 0])]
    centre_error, side_error = np.median(hit[:, 1:], axis=0) if len(hit) else (np.nan, np.nan)
    return ProposalFigures(
        len(results),
        len(annotated),
        curve,
        by_light,
        face_bands(scored, SIDES, thresholds),
        float(np.nan_to_num(centre_error, nan=1.0)),
        float(np.nan_to_num(side_error, nan=1.0)),
    )


@dataclass(frozen=True)
class _Matches:
    """The detections and faces of a crop.

    Attributes:
        detections: (D, 2) score, and 1 for a hit or 0 for a false alarm; those on ignored faces are left out.
        faces: (F, 3) score of the detection that finds it, -inf for none, and its errors.
    """

    detections: npt.NDArray[np.float64]
    faces: npt.NDArray[np.float64]


def distinct_boxes(logits: Floats, boxes: Floats) -> tuple[Floats, Floats]:
    """Returns the boxes of a map's local maxima without those that overlap with better ones.

    Args:
        logits: (rows, columns).
        boxes: (rows, columns, 3): x and y of the centre, and the side (see `decode_maps`).

    Returns:
        (D,) logits, descending, and (D, 3) boxes.
    """
    padded = np.pad(logits, 1, constant_values=-np.inf)
    around = np.lib.stride_tricks.sliding_window_view(padded, (3, 3)).max(axis=(-2, -1))
    peaks = np.flatnonzero(logits == around)
    order = peaks[np.argsort(-logits.ravel()[peaks], kind="stable")][:_LARGEST_COUNT]
    scores, candidates = logits.ravel()[order], boxes.reshape(-1, 3)[order]
    overlaps = _iou(candidates, candidates) > _OVERLAP
    kept: list[int] = []
    for index in range(len(order)):
        if not overlaps[index, kept].any():
            kept.append(index)
    return scores[kept], candidates[kept]


def _match(scores: Floats, boxes: Floats, faces: Floats, ignored: Floats) -> _Matches:
    """Gives each detection, best first, the free face that it overlaps most."""
    overlap = _iou(boxes, faces[:, :3])
    results = np.full((len(faces), 3), -np.inf)
    detections = []
    for index, (score, box) in enumerate(zip(scores, boxes, strict=True)):
        free = np.where(np.isinf(results[:, 0]), overlap[index], 0)
        best = int(free.argmax()) if len(free) else -1
        if best >= 0 and free[best] >= _OVERLAP:
            face = faces[best]
            distance = np.hypot(*(box[:2] - face[:2])) / face[2]
            results[best] = score, distance, abs(np.log(box[2] / face[2]))
            detections.append((score, 1.0))
        elif not (np.hypot(*(ignored[:, :2] - box[:2]).T) < ignored[:, 2]).any():
            detections.append((score, 0.0))
    return _Matches(np.array(detections, np.float64).reshape(-1, 2), results)


def _iou(left: Floats, right: Floats) -> Floats:
    """Returns (L, R) overlaps of squares, given as x and y of the centre, and the side."""
    half = (left[:, None, 2] + right[None, :, 2]) / 2
    smaller = np.minimum(left[:, None, 2], right[None, :, 2])
    inner = [
        np.clip(np.minimum(half - np.abs(left[:, None, axis] - right[None, :, axis]), smaller), 0, None)
        for axis in (0, 1)
    ]
    area = inner[0] * inner[1]
    return np.asarray(area / (left[:, None, 2] ** 2 + right[None, :, 2] ** 2 - area), np.float32)
