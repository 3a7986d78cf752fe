"""Plots a comparison of searches: divergence from the teachers and accuracy, a point for each training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from edge.errors import DataError
from train.reports.plots import BLUE, ORANGE, save_figure


def save_comparison_png(
    values: Mapping[tuple[str, str], Sequence[tuple[float, float]]], path: Path, title: str
) -> None:
    """Draws the trainings of each search side by side, inherited weights apart from new ones.

    Args:
        values: {(search, weights): (KL divergence in nats, accuracy from 0 to 1) of each seed}.
        path: where the image is written.
        title: title above the plots.

    Raises:
        DataError: there are no trainings.
        OutputError: the image cannot be written.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import PercentFormatter

    if not any(values.values()):
        raise DataError("no training to draw")
    searches = list(dict.fromkeys(search for search, _ in values))
    kinds = list(dict.fromkeys(weights for _, weights in values))
    figure = Figure(figsize=(9, 3.8), layout="constrained")
    for which, axes in enumerate(figure.subplots(1, 2)):
        for kind, colour, shift in zip(kinds, (BLUE, ORANGE), (-0.12, 0.12), strict=False):
            xs, ys = [], []
            for place, search in enumerate(searches):
                points = [pair[which] for pair in values[search, kind]]
                xs += [place + shift] * len(points)
                ys += points
                if points:
                    mean = sum(points) / len(points)
                    axes.plot([place + shift - 0.09, place + shift + 0.09], [mean, mean], color=colour)
            axes.plot(xs, ys, "o", color=colour, alpha=0.7, label=f"weights {kind}")
        axes.set_xticks(range(len(searches)), searches)
        axes.set_xlim(-0.5, len(searches) - 0.5)
        axes.grid(axis="y", alpha=0.3)
    left, right = figure.axes
    left.set_title("KL divergence from the teachers, nats (less is better)", fontsize=10)
    right.set_title("validation accuracy", fontsize=10)
    right.yaxis.set_major_formatter(PercentFormatter(1.0))
    right.legend(frameon=False, fontsize=9)
    figure.suptitle(title, fontsize=11)
    save_figure(figure, path)
