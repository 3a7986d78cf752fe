"""Pictures of a run: its learning curves, recall by label, reliability, and the mistakes it was surest of."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from edge.errors import DataError, OutputError
from edge.types import Gray
from train.evaluation.metrics import Evaluation
from train.evaluation.temperature_scaling import TemperatureScaling
from train.runs.results import read_log

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Told apart by all who see colours differently (Okabe and Ito).
BLUE, ORANGE, GRAY = "#0072b2", "#d55e00", "#6e7781"

_ACROSS = 8


def save_curves_png(log_csv: Path, path: Path, title: str) -> None:
    """Draws accuracy and loss of training and validation by epoch, the gap between them shaded.

    Training figures are those of the log: on augmented pictures, while the weights still move.

    Args:
        log_csv: a run's log, of one epoch or more; losses are drawn where it has `val_loss`.
        path: of the picture.
        title: above it.

    Raises:
        DataError: the log is missing, empty or damaged.
        OutputError: the picture cannot be written.
    """
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    rows = read_log(log_csv)
    figure = _figure(9.5, 4.0)
    left, right = figure.subplots(1, 2)
    gap = 100 * _draw_pair(left, rows, "accuracy")
    left.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    left.set_title(f"accuracy: training - validation {gap:+.1f} points at the end", fontsize=9)
    if all("val_loss" in row and "loss" in row for row in rows):
        gap = _draw_pair(right, rows, "loss")
        right.set_title(f"loss: training - validation {gap:+.3f} at the end", fontsize=9)
    else:
        right.set_title("loss: not in this log for both splits", fontsize=9)
        right.set_yticks([])
    for axes in (left, right):
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlim(min(0.5, rows[0]["epoch"] - 0.5), rows[-1]["epoch"] + 0.5)
    figure.suptitle(title, fontsize=10)
    save_figure(figure, path)


def save_recall_png(evaluation: Evaluation, path: Path, title: str) -> None:
    """Draws the recall of each label as a bar, with its number of pictures, and the mean over the labels.

    Raises:
        OutputError: the picture cannot be written.
    """
    from matplotlib.ticker import PercentFormatter

    names, recall = evaluation.label_names, evaluation.recall
    counts = evaluation.confusion.sum(axis=1)
    figure = _figure(max(4.5, 1.5 + 0.9 * len(names)), 4.0)
    axes = figure.subplots()
    axes.bar(range(len(names)), np.nan_to_num(recall), color=BLUE, width=0.7)
    for place, value in enumerate(recall):
        text = "none" if math.isnan(value) else f"{value:.0%}"
        axes.text(place, np.nan_to_num(value) + 0.01, text, ha="center", va="bottom", fontsize=9)
    met = recall[~np.isnan(recall)]
    if len(met):
        axes.axhline(met.mean(), color=ORANGE, linestyle="--", label=f"mean over labels {met.mean():.1%}")
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
    """Draws accuracy against confidence, as the network gives it and after its temperature.

    Raises:
        OutputError: the picture cannot be written.
    """
    figure = _figure(8.0, 5.0)
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
            label="distance to the confidence",
        )
        upper.plot((0, 1), (0, 1), color=GRAY, linestyle="--", linewidth=1, label="as it should be")
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


def save_mistakes_png(  # noqa: PLR0913, PLR0917 - a picture, a label and scores for each row, and where they go
    images: Gray,
    labels: npt.NDArray[np.int64],
    scores: npt.NDArray[np.float64],
    label_names: Sequence[str],
    path: Path,
    count: int = 48,
) -> int:
    """Draws the mistakes that the network was surest of, the surest first.

    Args:
        images: (N, H, W) uint8.
        labels: (N,) what is annotated.
        scores: (N, C) what the network says, each row summing to 1.
        label_names: C names.
        path: of the picture.
        count: how many are wanted; fewer are drawn where there are fewer.

    Returns:
        How many are drawn.

    Raises:
        DataError: the arrays differ in length.
        OutputError: the picture cannot be written.
    """
    if not len(images) == len(labels) == len(scores):
        raise DataError(f"{len(images)} pictures, {len(labels)} labels and {len(scores)} rows of scores")
    predicted, confidence = scores.argmax(axis=1), scores.max(axis=1)
    wrong = np.flatnonzero(predicted != labels)
    # Stable, so that equal confidences always come in the rows' order.
    shown = wrong[np.argsort(-confidence[wrong], kind="stable")][:count]
    down = max(1, -(-len(shown) // _ACROSS))
    figure = _figure(1.25 * _ACROSS, 0.5 + 1.65 * down)
    figure.suptitle(
        f"{len(shown)} surest of {len(wrong):,} mistakes on {len(labels):,} pictures: "
        "annotated → predicted (confidence)",
        fontsize=10,
    )
    panels = figure.subplots(down, _ACROSS, squeeze=False).ravel()
    for axes in panels:
        axes.set_axis_off()
    for axes, row in zip(panels, shown, strict=False):
        axes.imshow(images[row], cmap="gray", vmin=0, vmax=255)
        text = f"{label_names[labels[row]]} →\n{label_names[predicted[row]]} ({confidence[row]:.0%})"
        axes.text(0.5, -0.04, text, transform=axes.transAxes, ha="center", va="top", fontsize=8)
    save_figure(figure, path)
    return len(shown)


def _draw_pair(axes: Axes, rows: Sequence[dict[str, float]], key: str) -> float:
    """Both splits' curves of a figure with what lies between them; gives the last difference."""
    epochs, training, validation = (
        np.array([row[name] for row in rows]) for name in ("epoch", key, f"val_{key}")
    )
    marker = "o" if len(rows) <= 3 else None
    axes.fill_between(epochs, training, validation, color=GRAY, alpha=0.2, linewidth=0, label="gap")
    axes.plot(epochs, training, color=BLUE, marker=marker, label="training (augmented pictures)")
    axes.plot(epochs, validation, color=ORANGE, marker=marker, label="validation")
    if len(rows) == 1:  # there is nothing to shade between two points
        axes.vlines(epochs, training, validation, color=GRAY, alpha=0.4, linewidth=6, zorder=0)
    axes.legend(fontsize=8, frameon=False)
    _clean(axes)
    return float(training[-1] - validation[-1])


def _figure(width: float, height: float) -> Figure:
    """An empty figure, in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _clean(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_axisbelow(True)
    axes.grid(axis="y", color="#e5e8eb", linewidth=0.8)


def save_figure(figure: Any, path: Path) -> None:
    """Writes a drawing.

    Raises:
        OutputError: it cannot be written.
    """
    try:
        figure.savefig(path, dpi=110)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}") from error
