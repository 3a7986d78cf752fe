"""A plot of what `emotiny bench --truth --json FILE` measured: what each loop finds, and what that costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.errors import ConfigError
from edge.files import atomic_write
from train.reports.bench_file import read_bench_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NAMES = {"a": "plain", "b": "classic", "c": "emotiny", "d": "YuNet"}
_COLOURS = {"a": "C7", "b": "C8", "c": "C0", "d": "C1"}
_GROUPS = ("real", "composed")


@dataclass(frozen=True)
class LoopFigures:
    """What a loop found in a group of clips; None where a group has nothing to find.

    Attributes:
        large: recall of faces of at least 40 pixels.
        small: recall of faces of 24 to 40 pixels.
        precision: share of the boxes that lie on a face.
        covered: share of the time in view in which a person was reported, averaged over people.
        cpu: processor time, relative to loop (a).
    """

    large: float | None
    small: float | None
    precision: float | None
    covered: float | None
    cpu: float


# {group: {loop: figures}}
TruthResults = dict[str, dict[str, LoopFigures]]


def read_truth_results(path: Path) -> TruthResults:
    """Reads what was measured against annotated clips.

    Raises:
        ConfigError: The file cannot be read, is of another version, or was written without --truth.
    """
    results = read_bench_file(path, _results_of)
    if not results:
        raise ConfigError(f"{path}: no clips with truth; expected what `bench --truth --json` wrote")
    return results


def _results_of(content: Mapping[str, Any]) -> TruthResults:
    truth = content.get("truth", {})
    results: TruthResults = {}
    for group in _GROUPS:
        # What --ablation measures besides is a table of its own.
        loops = {name: truth[name][group] for name in _NAMES if group in truth.get(name, {})}
        if loops:
            plain_ms = float(loops["a"]["cpu_ms"])
            results[group] = {name: _figures(fields, plain_ms) for name, fields in loops.items()}
    return results


def save_truth_png(results: TruthResults, path: Path) -> None:
    """Draws bars of what each loop finds, a panel for each group of clips.

    Args:
        results: At least one group.
        path: PNG file to write.

    Raises:
        OutputError: The file cannot be written.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.5 * len(results), 4.4), layout="constrained")
    for axes, (group, loops) in zip(
        figure.subplots(1, len(results), squeeze=False, sharey=True)[0], results.items(), strict=True
    ):
        _draw_group(axes, group, loops)
    atomic_write(path, lambda partial: figure.savefig(partial, dpi=110, format="png"))


def _draw_group(axes: Axes, group: str, loops: Mapping[str, LoopFigures]) -> None:
    width = 0.8 / len(loops)
    for number, (name, figures) in enumerate(loops.items()):
        values = (figures.large, figures.small, figures.precision, figures.covered)
        bars = axes.bar(
            [index + (number - (len(loops) - 1) / 2) * width for index in range(len(values))],
            [value or 0.0 for value in values],
            width,
            color=_COLOURS[name],
            label=f"{_NAMES[name]}, processor time {figures.cpu:.2g}",
        )
        axes.bar_label(
            bars, ["" if value is None else f"{value:.2f}" for value in values], fontsize=6, padding=1
        )
    axes.set_xticks(range(4), ["faces >= 40 px", "24 to 40 px", "precision", "time covered"])
    axes.set(title=f"{group} clips", ylim=(0, 1.08))
    axes.grid(axis="y", alpha=0.3)
    axes.legend(fontsize="small", loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=2)


def _figures(fields: Mapping[str, Any], plain_ms: float) -> LoopFigures:
    hits = int(fields["large_hits"]) + int(fields["small_hits"])
    covered = [float(value) for value in fields["covered"]]
    return LoopFigures(
        large=_ratio(int(fields["large_hits"]), int(fields["large_faces"])),
        small=_ratio(int(fields["small_hits"]), int(fields["small_faces"])),
        precision=_ratio(hits, hits + int(fields["wrong"])),
        covered=_ratio(sum(covered), len(covered)),
        cpu=float(fields["cpu_ms"]) / plain_ms,
    )


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None
