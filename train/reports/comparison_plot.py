"""A plot of finished runs: validation, training and int8 accuracy of each recipe."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from train.reports.plots import BLUE, GRAY, ORANGE
from train.reports.run_names import run_names
from train.runs.results import RunRow

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LINE_INCHES = 0.24
_PANEL_INCHES = 0.9


def draw_table(groups: Sequence[Sequence[RunRow]], names: Mapping[str, str]) -> Figure:
    """Draws a panel for each validation split, with a line for each group of runs, the best on top.

    Args:
        groups: runs that differ in the seed alone; a group's line has a mark for each of its runs.
        names: {split: published name} of splits whose published name is another.
    """
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    splits = list(dict.fromkeys((group[0].split, group[0].count) for group in groups))
    parts = [
        sorted((each for each in groups if (each[0].split, each[0].count) == split), key=_mean)
        for split in splits
    ]
    titles = run_names([row for group in groups for row in group])
    heights = [_PANEL_INCHES + _LINE_INCHES * len(part) for part in parts]
    figure = Figure(figsize=(11.0, max(3.0, sum(heights) + 0.5)), layout="constrained")
    panels = figure.subplots(len(splits), 1, squeeze=False, height_ratios=heights)[:, 0]
    marks = {"validation": ("o", BLUE, BLUE), "training": ("o", GRAY, "white"), "int8": ("|", ORANGE, ORANGE)}
    for axes, (split, count), part in zip(panels, splits, parts, strict=True):
        for position, group in enumerate(part):
            for row in group:
                ends = 100 * row.validation_accuracy, 100 * row.training_accuracy
                axes.plot(ends, [position] * 2, color=GRAY, linewidth=1, zorder=1)
                int8 = [] if row.int8_accuracy is None else [100 * row.int8_accuracy]
                for name, values in (("training", ends[1:]), ("validation", ends[:1]), ("int8", int8)):
                    mark, edge, inside = marks[name]
                    axes.plot(
                        *(values, [position] * len(values), mark),
                        **{"color": edge, "markerfacecolor": inside, "markersize": 9 if mark == "|" else 6},
                    )
        axes.set_yticks(range(len(part)), [_label(titles[group[0]], group) for group in part], fontsize=8)
        axes.set_ylim(-0.7, len(part) - 0.3)
        axes.grid(alpha=0.3)
        axes.set_xlabel("accuracy, %", fontsize=9)
        axes.set_title(f"{names.get(split, split)}, {count:,} pictures", fontsize=10)
    keys = [
        Line2D([], [], linestyle="none", marker=mark, color=edge, markerfacecolor=inside, label=name)
        for name, (mark, edge, inside) in marks.items()
    ]
    figure.legend(handles=keys, loc="outside upper right", ncols=len(keys), fontsize=9, frameon=False)
    return figure


def _mean(group: Iterable[RunRow]) -> float:
    accuracies = [row.validation_accuracy for row in group]
    return sum(accuracies) / len(accuracies)


def _label(name: str, group: Sequence[RunRow]) -> str:
    """Returns a text such as "emotion, 3 seeds: 9,838 parameters, 120 of 120 epochs"."""
    row = group[0]
    seeds = f", {len(group)} seeds" if len(group) > 1 else ""
    return f"{name}{seeds}: {row.parameters:,} parameters, {row.epochs} of {row.epochs_wanted} epochs"
