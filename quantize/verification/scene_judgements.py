"""How well the device's own detection finds faces in whole scenes, and what its two judges are each worth.

Crops say how good a network is at crops. Here the shipped files search, move and judge as on the device.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from edge.detection.candidate import Candidate, distinct
from edge.detection.detector import Judge, Proposer
from edge.errors import DataError
from edge.types import Gray
from train.data.scenes import Scene
from train.progress import tracked

PRECISIONS = (0.9, 0.95, 0.99)
LIGHTS = ("light as it is", "dim with noise")
# Scenes are smaller and larger than a camera's pictures.
_ZOOMS = (0.6, 1.0, 1.5)
# A dim scene: gray levels times this, with sensor noise of this standard deviation.
_DIM, _NOISE = 0.25, 3.0
_HIT_IOU = 0.4  # of a square and the face that it finds
_EXCUSED_IOU = 0.05  # of a square and a face that is neither to be found nor wrong
_LEAST_CONFIDENCE = 0.05
_SEED = 3

Floats = npt.NDArray[np.float64]


class Judges(Protocol):
    """Interface of the two judges, such as `JointJudge`."""

    @property
    def face(self) -> Judge:
        """The judge that sees a face alone."""
        ...

    def surroundings(self, gray: Gray, face: Candidate) -> float:
        """Returns the logit of the second opinion."""
        ...


@dataclass(frozen=True)
class Judgements:
    """What both judges say of every distinct square that the device proposes.

    Attributes:
        face: (M,) log odds by the refinement network.
        surroundings: (M,) logits of the second opinion.
        is_face: (M,) bool.
        light: (M,) index into `LIGHTS`.
        faces: number of faces to be found in each light.
    """

    face: Floats
    surroundings: Floats
    is_face: npt.NDArray[np.bool_]
    light: npt.NDArray[np.int64]
    faces: tuple[int, ...]

    def recall(self, odds: Floats, light: int, precision: float) -> float:
        """Returns the largest recall at a precision, 0 to 1; 0 where that precision is never reached.

        Args:
            odds: (M,) a number for each square, larger for faces.
            light: index into `LIGHTS`.
            precision: least share of right ones among the squares that are taken, 0 to 1.
        """
        rows = self.light == light
        right = self.is_face[rows][np.argsort(-odds[rows], kind="stable")]
        hits = np.cumsum(right)
        precise = hits >= precision * np.arange(1, len(hits) + 1)
        return float(hits[precise].max() / self.faces[light]) if precise.any() else 0.0

    def weights(self) -> Floats:
        """Returns (face, surroundings, bias); their weighted sum is the log odds of a face, at even odds.

        Even odds, as in the refinement network's training: how many of the proposed squares are faces is
        another matter. Logistic regression by Newton's method (Bishop 2006, section 4.3.3), a trifle
        regularized.

        Raises:
            DataError: all squares are faces, or none is.
        """
        share = float(self.is_face.mean()) if len(self.is_face) else 0.0
        if not 0 < share < 1:
            raise DataError(f"{len(self.is_face)} squares were proposed; expected faces and others")
        inputs = np.column_stack([self.face, self.surroundings, np.ones(len(self.face))])
        penalty = 1e-3 * np.eye(3)
        weights: Floats = np.zeros(3)
        for _ in range(50):
            score = 1 / (1 + np.exp(-np.clip(inputs @ weights, -30, 30)))
            slope = inputs.T @ (self.is_face - score) - penalty @ weights
            curvature = (inputs * (score * (1 - score))[:, None]).T @ inputs + penalty
            weights = weights + np.linalg.solve(curvature, slope)
        prior: Floats = np.array([0, 0, np.log(share / (1 - share))])
        return weights - prior


def judge_scenes(
    scenes: Sequence[Scene], proposer: Proposer, judge: Judges, least_px: float = 24
) -> Judgements:
    """Searches scenes, each in three sizes and two lights.

    Args:
        scenes: scenes with and without faces.
        proposer: names the squares.
        judge: judges them, each in two looks.
        least_px: side of the smallest face that is to be found, in pixels.
    """
    random = np.random.default_rng(_SEED)
    rows: list[tuple[float, float, bool, int]] = []
    counts = [0] * len(LIGHTS)
    for scene in tracked(scenes, "searching scenes", "scenes"):
        image = scene.image()
        for zoom in _ZOOMS:
            method = cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR
            sized = np.asarray(cv2.resize(image, None, fx=zoom, fy=zoom, interpolation=method), np.uint8)
            true = _faces(scene, zoom)
            sought = [side >= least_px and not ignored for (_, _, side, *_), ignored in true]
            for light, gray in enumerate((sized, _dim(sized, random))):
                counts[light] += sum(sought)
                rows += [(*row, light) for row in _compared(gray, true, sought, proposer, judge)]
    face, surroundings, is_face, lights = np.array(rows, np.float64).reshape(-1, 4).T
    return Judgements(face, surroundings, is_face.astype(np.bool_), lights.astype(np.int64), tuple(counts))


def _faces(scene: Scene, zoom: float) -> list[tuple[Candidate, bool]]:
    """Returns the faces of a scene of another size, and whether each is to be ignored."""
    boxes = scene.faces.boxes.astype(np.float64) * zoom
    squares = [Candidate(x + w / 2, y + h / 2, w, 1.0) for x, y, w, h in boxes.tolist()]
    return list(zip(squares, scene.faces.ignore.tolist(), strict=True))


def _dim(image: Gray, random: np.random.Generator) -> Gray:
    noisy = image.astype(np.float32) * _DIM + random.normal(0, _NOISE, image.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)


def _compared(
    gray: Gray,
    true: list[tuple[Candidate, bool]],
    sought: list[bool],
    proposer: Proposer,
    judge: Judges,
) -> list[tuple[float, float, bool]]:
    """Returns (log odds, second opinion, whether it is a face) of each square that is right or wrong."""
    rows = []
    left = dict(enumerate(true))
    for found in _judged(gray, proposer, judge):
        overlap, index = max(((face.iou(found), key) for key, (face, _) in left.items()), default=(0.0, -1))
        if overlap >= _HIT_IOU:
            del left[index]
            if not sought[index]:
                continue
        elif any(ignored and face.iou(found) > _EXCUSED_IOU for face, ignored in true):
            continue
        odds = np.log(found.confidence / max(1 - found.confidence, 1e-9))
        rows.append((float(odds), judge.surroundings(gray, found), overlap >= _HIT_IOU))
    return rows


def _judged(gray: Gray, proposer: Proposer, judge: Judges) -> list[Candidate]:
    """Returns the squares that the refinement network moves the proposals to, one a face, surest first."""
    moved = []
    for part in proposer.plan((gray.shape[0], gray.shape[1])):
        for proposed in proposer.propose(gray, part):
            once = judge.face.refine(gray, proposed)
            if once.confidence >= _LEAST_CONFIDENCE:
                moved.append(judge.face.refine(gray, once))
    return [each for each in distinct(moved) if each.confidence >= _LEAST_CONFIDENCE]
