"""Whether an integer network is what its parent was, as the device's own code reads whole splits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from edge.classifier import Classifier
from edge.contract import Contract
from edge.errors import ModelError
from edge.types import Gray
from quantize.contents import FileContents
from train.calibration import softmax
from train.data import Dataset
from train.evaluate import Evaluation, evaluate
from train.spec import BUDGET

# A conversion that loses more than this is broken, not rounded.
LARGEST_LOSS = 0.005


@dataclass(frozen=True)
class Comparison:
    """Float network against integer file on the same pictures.

    Attributes:
        before: the float network's evaluation.
        after: the integer file's.
        agreement: share of pictures with the same top label.
        largest_difference: between two scores of the same label and picture, 0 to 1.
    """

    before: Evaluation
    after: Evaluation
    agreement: float
    largest_difference: float

    def to_dict(self) -> dict[str, Any]:
        """The figures as the contract holds them."""
        return {
            "int8": self.after.to_dict(),
            "float_accuracy": round(self.before.accuracy, 4),
            "top1_agreement": round(self.agreement, 4),
            "largest_score_difference": round(self.largest_difference, 4),
        }


def scores_of(classifier: Classifier, crops: Gray) -> npt.NDArray[np.float64]:
    """(N, C) scores of (N, size, size) uint8 crops, by the code that runs on the device."""
    bar = tqdm(crops, desc=classifier.contract.name, unit="face", mininterval=2.0)
    return np.array([classifier.classify(crop).values for crop in bar])


def compare(
    rows: Dataset, split: str, logits: npt.NDArray[np.float32], scores: npt.NDArray[np.float64]
) -> Comparison:
    """Compares both networks' answers for the same rows.

    Args:
        rows: N labelled pictures.
        split: "val" or "test".
        logits: (N, C) of the float network.
        scores: (N, C) of the integer file, 0 to 1.
    """
    before = softmax(logits)
    name = f"{rows.name} {split}"
    top_before, top_after = before.argmax(axis=1), scores.argmax(axis=1)
    return Comparison(
        before=evaluate(name, rows.label_names, rows.labels, top_before),
        after=evaluate(name, rows.label_names, rows.labels, top_after),
        agreement=float((top_before == top_after).mean()),
        largest_difference=float(np.abs(before - scores).max()),
    )


def check_file(contents: FileContents, contract: Contract) -> None:
    """Refuses a file that is not what models/ may hold.

    Raises:
        ModelError: it has a float tensor, no weights per channel, or too many parameters.
    """
    if contents.float_tensors:
        raise ModelError(f"{contract.name}: float tensors in the file: {', '.join(contents.float_tensors)}")
    if not contents.per_channel:
        raise ModelError(f"{contract.name}: no weights are quantized per channel")
    if contents.parameters >= BUDGET:
        raise ModelError(f"{contract.name}: {contents.parameters} parameters, must be fewer than {BUDGET}")


def check_loss(before: float, after: float, name: str) -> None:
    """Refuses a conversion that lost too much.

    Args:
        before: accuracy of the float network on the validation split, 0 to 1.
        after: accuracy of the integers on the same.
        name: of the network.

    Raises:
        ModelError: more than `LARGEST_LOSS` of accuracy went.
    """
    if before - after > LARGEST_LOSS:
        raise ModelError(
            f"{name}: int8 reads {after:.2%} right, float {before:.2%}; more than {LARGEST_LOSS:.1%} lost"
        )
