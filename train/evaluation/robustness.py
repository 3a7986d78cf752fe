"""How much of its accuracy a network keeps on faces as a camera spoils them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from edge.inference.preprocess import normalize_face
from edge.types import Gray
from train.augment import CropSpec, square_crops
from train.data import Dataset
from train.evaluation.corruptions import CORRUPTIONS, camera_accuracy, corrupt
from train.evaluation.temperature_scaling import expected_calibration_error
from train.progress import tracked

# Takes (N, size, size) uint8 crops; returns (N, C) scores of which each row sums to 1.
Score: TypeAlias = Callable[[Gray], npt.NDArray[np.floating[Any]]]


@dataclass(frozen=True)
class CorruptionFigures:
    """The figures of a network on images with one corruption.

    Attributes:
        accuracy: share of the images that are read right, 0 to 1.
        calibration_error: expected calibration error of the confidences, 0 to 1.
    """

    accuracy: float
    calibration_error: float

    def to_dict(self) -> dict[str, float]:
        """Returns the figures for a JSON file."""
        return {
            "accuracy": round(self.accuracy, 4),
            "calibration_error": round(self.calibration_error, 4),
        }


@dataclass(frozen=True)
class Robustness:
    """The figures of a network on the corruptions of `train.evaluation.corruptions`.

    Attributes:
        split: name of the dataset and split.
        count: number of images, the same for each corruption.
        figures: {name of the corruption: figures}, in the order of `CORRUPTIONS`.
    """

    split: str
    count: int
    figures: Mapping[str, CorruptionFigures]

    @property
    def camera_accuracy(self) -> float:
        """Mean of the accuracies of `CAMERA_ROWS`, 0 to 1."""
        return camera_accuracy({name: each.accuracy for name, each in self.figures.items()})

    def to_dict(self) -> dict[str, Any]:
        """Returns the figures for a JSON file."""
        return {
            "split": self.split,
            "count": self.count,
            "camera_accuracy": round(self.camera_accuracy, 4),
            "corruptions": {name: each.to_dict() for name, each in self.figures.items()},
        }


def measure_robustness(
    data: Dataset, crop: CropSpec, score: Score, seed: int = 0, names: Iterable[str] = tuple(CORRUPTIONS)
) -> Robustness:
    """Runs a network on the validation split with each corruption.

    Args:
        data: a dataset with a validation split, boxes located.
        crop: size and framing of the network's input.
        score: the network.
        seed: equal seeds give equal images.
        names: the corruptions; `CAMERA_ROWS` are enough for the camera accuracy.
    """
    rows = data.part("val")
    crops = square_crops(rows, crop)
    figures = {}
    for name in tracked(names, "corrupting", "rows"):
        scores = score(np.stack([normalize_face(image) for image in corrupt(crops, name, seed)]))
        hits = np.asarray(scores.argmax(axis=1) == rows.labels, np.bool_)
        # Rounded scores may sum to a little more than 1.
        confidence = np.minimum(scores.max(axis=1).astype(np.float64), 1.0)
        figures[name] = CorruptionFigures(float(hits.mean()), expected_calibration_error(confidence, hits))
    return Robustness(f"{rows.name} val", len(rows), figures)
