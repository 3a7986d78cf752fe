"""Plots of prunings: what each step cost in accuracy, and how many channels of each group remain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from edge.errors import DataError
from quantize.pruning.steps import PruningStep
from train.reports.plots import BLUE, GRAY, ORANGE, save_figure

_MARKERS = "osD^v<>p"


def save_pruning_png(steps: Sequence[PruningStep], path: Path, title: str) -> None:
    """Plots, by parameters, accuracy before and after each step's training and the groups' channels left.

    Args:
        steps: steps of one pruning, the unpruned network first.
        path: where the image is written.
        title: title above the plots.

    Raises:
        DataError: there is no step but the unpruned network.
        OutputError: the image cannot be written.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import PercentFormatter

    if len(steps) < 2:
        raise DataError("no pruning step to draw: there is only the unpruned network")
    figure = Figure(figsize=(11, 4.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    parameters = [step.parameters for step in steps]
    for step, previous in zip(steps[1:], steps, strict=False):
        left.plot([step.parameters] * 2, [step.before, step.after], color=GRAY, linewidth=1, zorder=1)
        xs, ys = [previous.parameters, step.parameters], [previous.after, step.before]
        left.plot(xs, ys, color=GRAY, linewidth=0.7)
    left.plot(parameters, [step.after for step in steps], "o-", color=BLUE, label="after training")
    before = [step.before for step in steps[1:]]
    left.plot(parameters[1:], before, "v", color=ORANGE, label="right after the removal")
    left.yaxis.set_major_formatter(PercentFormatter(1.0))
    left.set_ylabel("validation accuracy")
    left.legend(frameon=False)
    unpruned = _widths(steps[0])
    for index, name in enumerate(unpruned):
        shares = [_widths(step)[name] / unpruned[name] for step in steps]
        label = f"{name}: {unpruned[name]} to {_widths(steps[-1])[name]}"
        right.plot(parameters, shares, marker=_MARKERS[index % len(_MARKERS)], markersize=4, label=label)
    right.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    right.set_ylim(0, 1.05)
    right.set_ylabel("channels left")
    right.legend(frameon=False, fontsize=9)
    for axes in (left, right):
        axes.invert_xaxis()
        axes.set_xlabel("parameters as stored")
        axes.grid(alpha=0.3)
    figure.suptitle(title, fontsize=11)
    save_figure(figure, path)


def save_criteria_png(
    runs: Mapping[str, Sequence[tuple[Sequence[PruningStep], float]]], path: Path, title: str
) -> None:
    """Plots the accuracy after each step by parameters, a colour for each criterion and a line for each seed.

    A dotted line leads from the last step to what the training after it came to, the figure of the table.

    Args:
        runs: {criterion: the steps of each of its prunings, and the accuracy after the last training}.
        path: where the image is written.
        title: title above the plot.

    Raises:
        DataError: there are no runs.
        OutputError: the image cannot be written.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import PercentFormatter

    if not any(runs.values()):
        raise DataError("no pruning to compare")
    figure = Figure(figsize=(7, 4.4), layout="constrained")
    axes = figure.subplots()
    for (criterion, prunings), colour in zip(runs.items(), (BLUE, ORANGE, GRAY, "black"), strict=False):
        for number, (steps, final) in enumerate(prunings):
            last = steps[-1]
            axes.plot([last.parameters] * 2, [last.after, final], ":", color=colour, linewidth=1.2)
            axes.plot([last.parameters], [final], "D", color=colour, markersize=5)
            axes.plot(
                [step.parameters for step in steps],
                [step.after for step in steps],
                color=colour,
                marker=".",
                linewidth=1.2,
                label=f"{criterion} ({len(prunings)} seeds)" if number == 0 else None,
            )
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.invert_xaxis()
    axes.grid(alpha=0.3)
    axes.set_xlabel("parameters as stored")
    axes.set_ylabel("validation accuracy: dots after a step, diamonds at the end")
    axes.legend(frameon=False)
    axes.set_title(title, fontsize=11)
    save_figure(figure, path)


def _widths(step: PruningStep) -> dict[str, int]:
    """Returns {group: number of channels}, in the network's order."""
    return {name: int(width) for name, width in (part.split(" ") for part in step.widths.split(", "))}
