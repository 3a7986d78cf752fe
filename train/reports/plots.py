"""Plots of a run: learning curves, recall by label, reliability, and the most confident mistakes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from edge.errors import DataError
from edge.files import atomic_write
from edge.types import Gray
from train.data import Dataset
from train.evaluation.metrics import Evaluation
from train.evaluation.temperature_scaling import TemperatureScaling
from train.runs.results import read_log

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Distinguishable with any kind of colour vision (Okabe and Ito).
BLUE, ORANGE, GRAY = "#0072b2", "#d55e00", "#6e7781"

_COLUMNS = 8  # of the sheet of mistakes

_Floats = npt.NDArray[np.float64]


def save_curves_png(log_csv: Path, path: Path, title: str, plain: tuple[float, float] | None = None) -> None:
    """Draws accuracy and loss of training and validation by epoch, and the gap between the accuracies.

    Accuracy is the share of unchanged images whose label is predicted. A log of an earlier version, or of an
    accelerator, does not hold that of training: its own figure is drawn instead, as what it is.

    Args:
        log_csv: a run's log with at least one epoch; losses are drawn if it has a column `val_loss`. Figures
            that were not measured are `nan`, and are not drawn.
        path: PNG file to write.
        title: text above the plot.
        plain: accuracy of the best checkpoint on the whole training and validation splits; None if they were
            not measured.

    Raises:
        DataError: the log is missing, empty or damaged.
        OutputError: the file cannot be written.
    """
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    rows = read_log(log_csv)
    figure = _figure(9.5, 4.0)
    left, right = figure.subplots(1, 2)
    _draw_accuracy(left, rows, plain)
    left.yaxis.set_major_formatter(PercentFormatter(1.0))  # decimals as the range needs them
    right.set_title("loss", fontsize=9)
    _draw_line(right, rows, "loss", BLUE, "training: targets, changed pictures")
    _draw_line(right, rows, "val_loss", ORANGE, "validation: labels")
    for axes in (left, right):
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlim(min(0.5, rows[0]["epoch"] - 0.5), rows[-1]["epoch"] + 0.5)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(fontsize=8, frameon=False)
        _clean(axes)
    figure.suptitle(title, fontsize=10)
    save_figure(figure, path)


def save_recall_png(evaluation: Evaluation, path: Path, title: str) -> None:
    """Draws the recall of each label as a bar, with its number of images, and the mean over the labels.

    Raises:
        OutputError: the file cannot be written.
    """
    from matplotlib.ticker import PercentFormatter

    names, recall = evaluation.label_names, evaluation.recall
    counts = evaluation.confusion.sum(axis=1)
    figure = _figure(max(4.5, 1.5 + 0.9 * len(names)), 4.0)
    axes = figure.subplots()
    axes.bar(range(len(names)), np.nan_to_num(recall), color=BLUE, width=0.7)
    for position, value in enumerate(recall):
        text = "none" if math.isnan(value) else f"{value:.0%}"
        axes.text(position, np.nan_to_num(value) + 0.01, text, ha="center", va="bottom", fontsize=9)
    defined = recall[~np.isnan(recall)]
    if len(defined):
        mean = defined.mean()
        axes.axhline(mean, color=ORANGE, linestyle="--", label=f"mean over labels {mean:.1%}")
        figure.legend(loc="outside lower center", fontsize=9, frameon=False)
    ticks = [f"{name}\n{count:,}" for name, count in zip(names, counts, strict=True)]
    axes.set_xticks(range(len(names)), ticks, fontsize=9)
    axes.set_ylim(0, 1.08)
    axes.set_yticks(np.linspace(0, 1, 6))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.set_ylabel("recall")
    axes.set_title(f"{title}\n{evaluation.split}: share of each label's pictures recognised", fontsize=10)
    _clean(axes)
    save_figure(figure, path)


def save_reliability_png(calibration: TemperatureScaling, path: Path, title: str) -> None:
    """Draws accuracy against confidence, before and after the logits are divided by the temperature.

    Raises:
        OutputError: the file cannot be written.
    """
    figure = _figure(10.0, 4.6)  # the page's full width, under the two other plots of a split
    panels = figure.subplots(2, 2, sharex=True, gridspec_kw={"height_ratios": (4, 1)})
    columns = (
        (panels[:, 0], calibration.bins, f"temperature 1: ECE {calibration.ece:.1%}"),
        (
            panels[:, 1],
            calibration.bins_after,
            f"temperature {calibration.temperature:.3g}: ECE {calibration.ece_after:.1%}",
        ),
    )
    for (upper, lower), bins, text in columns:
        filled = [each for each in bins if each.count]
        total = sum(each.count for each in filled)
        middles = [(each.low + each.high) / 2 for each in filled]
        widths = [0.92 * (each.high - each.low) for each in filled]
        upper.bar(middles, [each.accuracy for each in filled], widths, color=BLUE, label="accuracy")
        upper.bar(
            middles,
            [each.confidence - each.accuracy for each in filled],
            widths,
            bottom=[each.accuracy for each in filled],
            color="none",
            edgecolor=ORANGE,
            hatch="////",
            linewidth=1,
            label="difference to the confidence",
        )
        upper.plot((0, 1), (0, 1), color=GRAY, linestyle="--", linewidth=1, label="perfect calibration")
        upper.set_title(text, fontsize=10)
        upper.set_ylim(0, 1)
        lower.bar(middles, [each.count / total for each in filled], widths, color=GRAY)
        lower.set_xlim(0, 1)
        lower.set_xlabel("confidence")
        for axes in (upper, lower):
            _clean(axes)
    panels[0, 0].set_ylabel("accuracy")
    panels[1, 0].set_ylabel("share")
    figure.legend(
        *panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False
    )
    figure.suptitle(title, fontsize=10)
    save_figure(figure, path)


def save_mistakes_png(
    rows: Dataset, crops: Gray, scores: npt.NDArray[np.float64], path: Path, count: int = 48
) -> int:
    """Draws the mistakes with the highest confidence, the most confident first.

    Args:
        rows: N annotated rows with C labels.
        crops: (N, H, W) uint8, the images to draw.
        scores: (N, C), the network's scores, each row summing to 1.
        path: PNG file to write.
        count: largest number of mistakes to draw.

    Returns:
        The number of mistakes that are drawn.

    Raises:
        DataError: the arrays differ in length.
        OutputError: the file cannot be written.
    """
    if not len(rows) == len(crops) == len(scores):
        raise DataError(f"{len(rows)} rows, {len(crops)} crops and {len(scores)} rows of scores")
    predicted, confidence = scores.argmax(axis=1), scores.max(axis=1)
    wrong = np.flatnonzero(predicted != rows.labels)
    # Stable, so that rows with equal confidence keep their order.
    shown = wrong[np.argsort(-confidence[wrong], kind="stable")][:count]
    lines = max(1, -(-len(shown) // _COLUMNS))
    figure = _figure(1.25 * _COLUMNS, 0.5 + 1.65 * lines)
    figure.suptitle(
        f"{len(shown)} most confident of {len(wrong):,} mistakes on {len(rows):,} pictures: "
        "annotated → predicted (confidence)",
        fontsize=10,
    )
    panels = figure.subplots(lines, _COLUMNS, squeeze=False).ravel()
    for axes in panels:
        axes.set_axis_off()
    for axes, row in zip(panels, shown, strict=False):
        axes.imshow(crops[row], cmap="gray", vmin=0, vmax=255)
        annotated, answer = rows.label_names[rows.labels[row]], rows.label_names[predicted[row]]
        text = f"{annotated} →\n{answer} ({confidence[row]:.0%})"
        axes.text(0.5, -0.04, text, transform=axes.transAxes, ha="center", va="top", fontsize=8)
    save_figure(figure, path)
    return len(shown)


def _draw_accuracy(axes: Axes, rows: Sequence[dict[str, float]], plain: tuple[float, float] | None) -> None:
    """Draws accuracy against the labels, and writes the gap between training and validation above it."""
    epochs, validation = _known(rows, "val_accuracy")
    _draw_line(axes, rows, "val_accuracy", ORANGE, "validation: labels")
    measured, training = _known(rows, "train_accuracy")
    title = "accuracy"
    if len(measured) and len(measured) == len(epochs):
        _draw_line(axes, rows, "train_accuracy", BLUE, "training: labels, unchanged pictures")
        axes.fill_between(epochs, training, validation, color=GRAY, alpha=0.2, linewidth=0)
        title = f"accuracy: training {100 * (training[-1] - validation[-1]):+.1f} points at the end"
    else:
        _draw_line(axes, rows, "accuracy", GRAY, "training as it went: targets, changed pictures")
    if plain is not None and len(epochs):
        best = epochs[validation.argmax()]
        axes.vlines(best, min(plain), max(plain), color=GRAY, alpha=0.4, linewidth=4, zorder=0)
        axes.plot([best], [plain[0]], "D", color=BLUE, label="best epoch, the whole training split: labels")
        title = f"accuracy: training {100 * (plain[0] - plain[1]):+.1f} points in the best epoch"
    axes.set_title(title, fontsize=9)


def _draw_line(axes: Axes, rows: Sequence[dict[str, float]], key: str, color: str, label: str) -> None:
    epochs, values = _known(rows, key)
    if len(epochs):
        axes.plot(epochs, values, color=color, marker="o" if len(rows) <= 3 else None, label=label)


def _known(rows: Sequence[dict[str, float]], key: str) -> tuple[_Floats, _Floats]:
    """Returns the epochs in which a figure was measured, and its values: some logs have gaps."""
    pairs = [(row["epoch"], row[key]) for row in rows if math.isfinite(row.get(key, math.nan))]
    epochs, values = np.array(pairs, np.float64).reshape(-1, 2).T
    return epochs, values


def _figure(width: float, height: float) -> Figure:
    """Returns an empty figure; width and height are in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _clean(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_axisbelow(True)
    axes.grid(axis="y", color="#e5e8eb", linewidth=0.8)


def save_figure(figure: Any, path: Path) -> None:
    """Writes a figure to a file, whose suffix decides the format.

    Raises:
        OutputError: the file cannot be written.
    """
    atomic_write(path, lambda partial: figure.savefig(partial, dpi=110))
