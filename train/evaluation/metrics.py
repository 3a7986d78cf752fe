"""Measures predictions against labels: accuracy, macro-F1, recall and the confusion matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Evaluation:
    """Predictions counted against labels.

    Attributes:
        split: name of the dataset and split, such as "FER-2013 val".
        label_names: the names of the C labels.
        confusion: (C, C) int64, number of images per label (row) and prediction (column).
    """

    split: str
    label_names: tuple[str, ...]
    confusion: npt.NDArray[np.int64]

    @property
    def count(self) -> int:
        """Number of images."""
        return int(self.confusion.sum())

    @property
    def accuracy(self) -> float:
        """Share of right predictions, 0 to 1."""
        return float(np.trace(self.confusion) / self.confusion.sum())

    @property
    def recall(self) -> npt.NDArray[np.float64]:
        """(C,) share of each label's images that are predicted right; nan for a label without images."""
        with np.errstate(invalid="ignore"):
            return np.asarray(np.diag(self.confusion) / self.confusion.sum(axis=1), dtype=np.float64)

    @property
    def macro_f1(self) -> float:
        """Mean over the labels of 2 TP / (2 TP + FP + FN); 0 for a label that never occurs."""
        hits = np.diag(self.confusion)
        occurrences = self.confusion.sum(axis=0) + self.confusion.sum(axis=1)
        return float(np.mean(2 * hits / np.maximum(occurrences, 1)))

    def to_dict(self) -> dict[str, Any]:
        """Returns the numbers for a JSON file."""
        return {
            "split": self.split,
            "count": self.count,
            "accuracy": round(self.accuracy, 4),
            "macro_f1": round(self.macro_f1, 4),
            "recall": {
                name: round(float(value), 4)
                for name, value in zip(self.label_names, self.recall, strict=True)
            },
            "labels": list(self.label_names),
            "confusion": self.confusion.tolist(),
        }


def evaluate(
    split: str, label_names: tuple[str, ...], labels: npt.NDArray[np.int64], predicted: npt.NDArray[np.int64]
) -> Evaluation:
    """Counts predictions against labels.

    Args:
        split: name of the dataset and split, for the record.
        label_names: names of the C labels.
        labels: (N,) annotated labels, 0 to C - 1.
        predicted: (N,) predicted labels, 0 to C - 1.
    """
    confusion = np.zeros((len(label_names),) * 2, dtype=np.int64)
    np.add.at(confusion, (labels, predicted), 1)
    return Evaluation(split, label_names, confusion)


def by_group(groups: dict[str, npt.NDArray[np.bool_]], hits: npt.NDArray[np.bool_]) -> dict[str, Any]:
    """Computes count and accuracy of groups of rows, without empty groups.

    Args:
        groups: {name: (N,) bool, whether each row belongs to the group}.
        hits: (N,) bool, whether each row's prediction is right.

    Returns:
        {name: {"count": ..., "accuracy": ...}}.
    """
    return {
        name: {"count": int(rows.sum()), "accuracy": round(float(hits[rows].mean()), 4)}
        for name, rows in groups.items()
        if rows.any()
    }
