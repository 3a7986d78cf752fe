"""Draws the confusion matrix of an evaluation."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from train.evaluation.metrics import Evaluation
from train.reports.plots import save_figure


def save_confusion_png(evaluation: Evaluation, path: Path, title: str) -> None:
    """Draws the confusion matrix: each cell shows the share of its row, as colour and number, and its count.

    Args:
        evaluation: the predictions to draw.
        path: the PNG file to write.
        title: text above the matrix.

    Raises:
        OutputError: the file cannot be written.
    """
    from matplotlib.figure import Figure

    shares = evaluation.confusion / np.maximum(evaluation.confusion.sum(axis=1, keepdims=True), 1)
    # At least as wide as the title above it.
    names, side = evaluation.label_names, max(5.5, 1.6 + 0.85 * len(evaluation.label_names))
    figure = Figure(figsize=(side, side * 0.92), layout="constrained")
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(names)), names, rotation=35, ha="right")
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("predicted")
    axes.set_ylabel("annotated")
    axes.set_title(
        f"{title}\n{evaluation.split}, {evaluation.count} pictures: "
        f"accuracy {evaluation.accuracy:.1%}, macro-F1 {evaluation.macro_f1:.3f}",
        fontsize=10,
    )
    for row, column in np.ndindex(*shares.shape):
        text = f"{shares[row, column]:.0%}\n{evaluation.confusion[row, column]}"
        colour = "white" if shares[row, column] > 0.5 else "black"
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=8)
    save_figure(figure, path)
