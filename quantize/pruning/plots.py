"""A pruning at a glance: what each step cost in accuracy, and where the channels went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from edge.errors import DataError
from quantize.pruning.pruner import PruningStep
from train.reports.plots import BLUE, GRAY, ORANGE, save_figure


def save_pruning_png(steps: Sequence[PruningStep], path: Path, title: str) -> None:
    """Draws accuracy before and after training on, by parameters, and the share of channels left by group.

    Raises:
        DataError: there are no steps but the uncut network.
        OutputError: the picture cannot be written.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import PercentFormatter

    if len(steps) < 2:
        raise DataError("no pruning step to draw: the uncut network alone")
    figure = Figure(figsize=(11, 4.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    parameters = [step.parameters for step in steps]
    for step, held in zip(steps[1:], steps, strict=False):
        left.plot([step.parameters] * 2, [step.before, step.after], color=GRAY, linewidth=1, zorder=1)
        left.plot([held.parameters, step.parameters], [held.after, step.before], color=GRAY, linewidth=0.7)
    left.plot(parameters, [step.after for step in steps], "o-", color=BLUE, label="after training on")
    left.plot(
        parameters[1:], [step.before for step in steps[1:]], "v", color=ORANGE, label="right after the cut"
    )
    left.yaxis.set_major_formatter(PercentFormatter(1.0))
    left.set_ylabel("validation accuracy")
    left.legend(frameon=False)
    whole = _widths(steps[0])
    marks = "osD^v<>p"
    for place, name in enumerate(whole):
        shares = [_widths(step)[name] / whole[name] for step in steps]
        label = f"{name}: {whole[name]} to {_widths(steps[-1])[name]}"
        right.plot(parameters, shares, marker=marks[place % len(marks)], markersize=4, label=label)
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


def save_criteria_png(runs: Mapping[str, Sequence[Sequence[PruningStep]]], path: Path, title: str) -> None:
    """Draws the accuracy after each step by parameters, for several criteria, a line for each seed.

    Args:
        runs: {criterion: the steps of each of its runs}.
        path: of the picture.
        title: above it.

    Raises:
        DataError: there are no runs.
        OutputError: the picture cannot be written.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import PercentFormatter

    if not any(runs.values()):
        raise DataError("no pruning to compare")
    figure = Figure(figsize=(7, 4.4), layout="constrained")
    axes = figure.subplots()
    for (criterion, prunings), colour in zip(runs.items(), (BLUE, ORANGE, GRAY, "black"), strict=False):
        for number, steps in enumerate(prunings):
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
    axes.set_ylabel("validation accuracy after training on")
    axes.legend(frameon=False)
    axes.set_title(title, fontsize=11)
    save_figure(figure, path)


def _widths(step: PruningStep) -> dict[str, int]:
    """{group: channels}, in the network's order."""
    return {name: int(width) for name, width in (part.split(" ") for part in step.widths.split(", "))}
