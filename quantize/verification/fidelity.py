"""Whether an int8 file does what its float parent does, on whole splits and by the device's own code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from edge.errors import ModelError
from edge.inference.classifier import Classifier
from edge.inference.contract import Contract
from edge.types import Gray
from quantize.tflite.inspect import FileContents
from train.data import Dataset
from train.evaluation.groups import evaluate_groups
from train.evaluation.metrics import Evaluation, evaluate
from train.evaluation.temperature_scaling import expected_calibration_error, softmax
from train.models.spec import BUDGET
from train.progress import tracked

# An int8 network that loses more accuracy, or agrees on fewer top labels, counts as another network.
LARGEST_LOSS = 0.003
LEAST_AGREEMENT = 0.97


class Fidelity(Protocol):
    """How well an int8 file does what its parent does, for networks of any kind."""

    @property
    def fault(self) -> str:
        """Why the file is not faithful to its parent; empty if it is."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """Returns the figures as the contract holds them."""
        ...

    def headline(self) -> dict[str, Any]:
        """Returns the figures that fit into a line."""
        ...

    def summary(self) -> str:
        """Returns the figures that matter most, in words."""
        ...


@dataclass(frozen=True)
class Comparison:
    """Comparison of a float network with its int8 file on the same images.

    Attributes:
        before: evaluation of the float network.
        after: evaluation of the int8 file.
        agreement: share of images with the same top label, 0 to 1.
        largest_difference: largest difference between two scores of one label and image, 0 to 1.
        calibration_error: expected calibration error of the int8 file's confidences, 0 to 1.
        groups: accuracy and count of the int8 file by group, if the dataset has groups.
    """

    before: Evaluation
    after: Evaluation
    agreement: float
    largest_difference: float
    calibration_error: float
    groups: dict[str, Any]

    @property
    def fault(self) -> str:
        """Why the file is not faithful to its parent; empty if it is."""
        before, after = self.before.accuracy, self.after.accuracy
        lost = round((before - after) * self.after.count)
        if lost > max(1, LARGEST_LOSS * self.after.count):
            return f"int8 reads {after:.2%} right, float {before:.2%}; more than {LARGEST_LOSS:.1%} lost"
        if self.agreement < LEAST_AGREEMENT:
            return (
                f"int8 and float give {self.agreement:.2%} of the faces the same label; expected at least "
                f"{LEAST_AGREEMENT:.0%}"
            )
        return ""

    def to_dict(self) -> dict[str, Any]:
        """Returns the figures as the contract holds them."""
        return {
            "int8": self.after.to_dict(),
            "float_accuracy": round(self.before.accuracy, 4),
            "top1_agreement": round(self.agreement, 4),
            "largest_score_difference": round(self.largest_difference, 4),
            "calibration_error": round(self.calibration_error, 4),
            **({"groups": self.groups} if self.groups else {}),
        }

    def headline(self) -> dict[str, Any]:
        """Returns the figures without those of each label."""
        return self.to_dict() | {"int8": round(self.after.accuracy, 4)}

    def summary(self) -> str:
        """Returns accuracies, macro-F1 and agreement, in words."""
        return (
            f"int8 {self.after.accuracy:.2%}, float {self.before.accuracy:.2%}, "
            f"macro-F1 {self.after.macro_f1:.3f}, same top label {self.agreement:.2%}, "
            f"largest difference {self.largest_difference:.3f}"
        )


def scores_of(classifier: Classifier, crops: Gray) -> npt.NDArray[np.float64]:
    """Returns the (N, C) scores of (N, size, size) uint8 crops, by the code that runs on the device."""
    bar = tracked(crops, classifier.contract.name, "faces")
    return np.array([classifier.classify(crop).values for crop in bar])


def compare_with_float(
    rows: Dataset, split: str, logits: npt.NDArray[np.float32], scores: npt.NDArray[np.float64]
) -> Comparison:
    """Compares the outputs of both networks for the same rows.

    Args:
        rows: N labelled images.
        split: name of their split, "val" or "test".
        logits: (N, C) logits of the float network.
        scores: (N, C) scores of the int8 file, 0 to 1.
    """
    before = softmax(logits)
    name = f"{rows.name} {split}"
    top_before, top_after = before.argmax(axis=1), scores.argmax(axis=1)
    right = top_after == rows.labels
    return Comparison(
        before=evaluate(name, rows.label_names, rows.labels, top_before),
        after=evaluate(name, rows.label_names, rows.labels, top_after),
        agreement=float((top_before == top_after).mean()),
        largest_difference=float(np.abs(before - scores).max()),
        calibration_error=expected_calibration_error(scores.max(axis=1), right),
        groups=evaluate_groups(rows, right),
    )


def check_file(contents: FileContents, contract: Contract) -> None:
    """Refuses a file that models/ may not hold.

    Raises:
        ModelError: the file has a float tensor, no weights quantized per channel, or too many parameters.
    """
    if contents.float_tensors:
        raise ModelError(f"{contract.name}: float tensors in the file: {', '.join(contents.float_tensors)}")
    if not contents.per_channel:
        raise ModelError(f"{contract.name}: no weights are quantized per channel")
    if contents.parameters >= BUDGET:
        raise ModelError(
            f"{contract.name}: {contents.parameters} parameters, must be fewer than {BUDGET} "
            "(`python -m quantize prune` makes a network smaller)"
        )


def is_faithful(comparison: Fidelity) -> bool:
    """Whether an int8 file does what its parent does."""
    return not comparison.fault


def check_faithful(comparison: Fidelity, name: str) -> None:
    """Refuses an int8 file that does not do what its parent does.

    Args:
        comparison: comparison on the validation split.
        name: name of the network.

    Raises:
        ModelError: the file is not faithful. Of a network that reads a face, accuracy may fall by
            `LARGEST_LOSS` or one image, and the share of equal top labels must be `LEAST_AGREEMENT`.
    """
    if comparison.fault:
        raise ModelError(f"{name}: {comparison.fault}")
