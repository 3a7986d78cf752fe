"""Measures predictions against labels: accuracy, macro-F1, recall and the confusion matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Evaluation:
    """Predictions against labels.

    Attributes:
        split: which rows, "val" or "test", with the set's name.
        label_names: the labels.
        confusion: (C, C) int64; row: the label, column: the prediction, value: number of pictures.
    """

    split: str
    label_names: tuple[str, ...]
    confusion: npt.NDArray[np.int64]

    @property
    def count(self) -> int:
        """Number of pictures."""
        return int(self.confusion.sum())

    @property
    def accuracy(self) -> float:
        """Share of right predictions, 0 to 1."""
        return float(np.trace(self.confusion) / self.confusion.sum())

    @property
    def recall(self) -> npt.NDArray[np.float64]:
        """(C,) share of each label's pictures that were recognised; nan for a label without pictures."""
        with np.errstate(invalid="ignore"):
            return np.asarray(np.diag(self.confusion) / self.confusion.sum(axis=1), dtype=np.float64)

    @property
    def macro_f1(self) -> float:
        """Mean over the labels of 2 TP / (2 TP + FP + FN), 0 for a label never met nor predicted."""
        hits = np.diag(self.confusion)
        met = self.confusion.sum(axis=0) + self.confusion.sum(axis=1)
        return float(np.mean(2 * hits / np.maximum(met, 1)))

    def to_dict(self) -> dict[str, Any]:
        """The figures as JSON holds them."""
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
    """Counts predictions.

    Args:
        split: what the rows are, for the record.
        label_names: C names.
        labels: (N,) what is annotated.
        predicted: (N,) what the network said.
    """
    confusion = np.zeros((len(label_names),) * 2, dtype=np.int64)
    np.add.at(confusion, (labels, predicted), 1)
    return Evaluation(split, label_names, confusion)


def by_group(groups: dict[str, npt.NDArray[np.bool_]], hits: npt.NDArray[np.bool_]) -> dict[str, Any]:
    """Accuracy and count of each group of rows: {name: {"count": ..., "accuracy": ...}}; empty ones go."""
    return {
        name: {"count": int(rows.sum()), "accuracy": round(float(hits[rows].mean()), 4)}
        for name, rows in groups.items()
        if rows.any()
    }
