"""Plots of a network that finds faces: precision, recall, recall of each band, and curves by epoch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from train.evaluation.bands import Band
from train.evaluation.face_figures import FaceFigures
from train.evaluation.proposal_figures import PRECISIONS, ProposalFigures
from train.evaluation.refinement_figures import FALSE_ALARMS, RefinementFigures
from train.reports.plots import BLUE, GRAY, ORANGE, save_figure
from train.runs.results import read_log

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_GREEN = "#009e73"
_LIGHT_COLOURS = {"light as it is": ORANGE, "dim with noise": GRAY}


def save_precision_recall_png(figures: FaceFigures, path: Path, title: str) -> None:
    """Draws what the threshold decides, and the recall of faces by size, roll and light.

    For a proposal network, the left panel shows precision by recall; for a refinement network, recall by the
    share of other crops that are taken for faces.

    Args:
        figures: the figures of a split.
        path: PNG file to write.
        title: text above the plot.

    Raises:
        OutputError: the file cannot be written.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11.0, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(2, 3))
    if isinstance(figures, ProposalFigures):
        _draw_precision(left, figures)
        _draw_bands(right, figures.bands, [f"{each:g}" for each in PRECISIONS], "recall at precision {}")
    else:
        _draw_false_alarms(left, figures)
        points = [f"{each:g}" for each in FALSE_ALARMS]
        _draw_bands(right, figures.bands, points, "recall at a share of false alarms of {}")
    figure.suptitle(title, fontsize=10)
    save_figure(figure, path)


def save_face_curves_png(log_csv: Path, path: Path, title: str, headline: str) -> None:
    """Draws the loss of training and validation and the headline figure by epoch.

    Args:
        log_csv: a run's log with at least one epoch.
        path: PNG file to write.
        title: text above the plot.
        headline: name of the figure, such as "average_precision".

    Raises:
        DataError: the log is missing, empty or damaged.
        OutputError: the file cannot be written.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    rows = read_log(log_csv, ("epoch", "loss", "val_loss", f"val_{headline}"))
    epochs = [row["epoch"] for row in rows]
    marker = "o" if len(rows) <= 3 else None
    figure = Figure(figsize=(9.5, 4.0), layout="constrained")
    left, right = figure.subplots(1, 2)
    name = headline.replace("_", " ")
    left.plot(epochs, [row[f"val_{headline}"] for row in rows], color=ORANGE, marker=marker)
    left.set(title=f"{name} of validation", ylim=(0, 1))
    for key, colour, label in (("loss", BLUE, "training"), ("val_loss", ORANGE, "validation")):
        right.plot(epochs, [row[key] for row in rows], color=colour, marker=marker, label=label)
    right.set(title="loss")
    right.legend(fontsize=8, frameon=False)
    for axes in (left, right):
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(axis="y", color="#e5e8eb")
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(title, fontsize=10)
    save_figure(figure, path)


def _draw_precision(axes: Axes, figures: ProposalFigures) -> None:
    curves = {"all": figures.curve, **figures.curves_by_light}
    for name, curve in curves.items():
        label = f"{name}: average precision {curve.average_precision:.1%}"
        axes.plot(curve.recall, curve.precision, color=_LIGHT_COLOURS.get(name, BLUE), label=label)
    for precision in PRECISIONS:
        recall, _ = figures.curve.at_precision(precision)
        axes.plot(recall, precision, "o", color=BLUE, markersize=4)
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))
    _finish(axes, f"{figures.faces:,} faces in {figures.crops:,} crops")


def _draw_false_alarms(axes: Axes, figures: RefinementFigures) -> None:
    count = len(figures.other_logits)
    shares = np.arange(1, count) / count
    recalls = [figures.recall(share) for share in shares]
    axes.plot(shares, recalls, color=BLUE, label=f"area under the curve {figures.auc:.4f}")
    for share in FALSE_ALARMS:
        axes.plot(share, figures.recall(share), "o", color=BLUE, markersize=4)
    axes.set_xscale("log")
    axes.set(xlabel="share of other crops taken for faces", ylabel="recall", ylim=(0, 1.02))
    _finish(axes, f"{figures.faces:,} faces, {count:,} other crops")


def _draw_bands(axes: Axes, bands: Sequence[Band], points: Sequence[str], label: str) -> None:
    width = 0.8 / len(points)
    for number, (point, colour) in enumerate(zip(points, (BLUE, ORANGE, _GREEN), strict=False)):
        recalls = [band.recall[point] for band in bands]
        places = [index + (number - (len(points) - 1) / 2) * width for index in range(len(bands))]
        bars = axes.bar(
            places, [recall or 0.0 for recall in recalls], width, color=colour, label=label.format(point)
        )
        texts = ["" if recall is None else f"{recall:.0%}" for recall in recalls]
        axes.bar_label(bars, texts, fontsize=6, padding=1)
    names = [f"{band.name.replace(' ', chr(10), 1)}\n{band.count:,}" for band in bands]
    axes.set_xticks(range(len(bands)), names, fontsize=7)
    axes.set(ylim=(0, 1.25), yticks=np.linspace(0, 1, 6))
    _finish(axes, "recall of faces by size in pixels, roll in degrees, and light", "upper center")


def _finish(axes: Axes, title: str, legend: Literal["lower left", "upper center"] = "lower left") -> None:
    axes.set_title(title, fontsize=9)
    axes.legend(fontsize=7, frameon=False, loc=legend, ncols=1 if legend == "lower left" else 3)
    axes.grid(alpha=0.3)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
