"""Runs loops on clips whose truth is known, and sums up what they found, by group of clips."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from edge.bench.clip import Clip
from edge.bench.detection_figures import DetectionFigures, detection_figures
from edge.bench.loops import Loop
from edge.bench.measure import play
from edge.bench.truth import Truth
from edge.detection.distance import FIELD_OF_VIEW_DEG, metres

# Groups of clips in which a head was put into a room, so that the truth is known by construction.
COMPOSED = ("approach", "distance")
_COLUMNS = (
    *("clips", ">=40", "24-40", "precision", "never found", "covered", "first s p50/p90", "first px (m)"),
    *("switches", "changes/s", "uncertain", "alarm s/min", "CPU"),
)


@dataclass
class GroupResult:
    """What one loop found in a group of clips.

    Attributes:
        clips: Names of the clips.
        figures: Sums over the clips.
        cpu_ms: Processor milliseconds of all frames.
        reach: (side of the box in pixels, metres) at which each approaching person was first reported; None
            for never. The metres are those of a lens of `FIELD_OF_VIEW_DEG`.
    """

    clips: list[str] = field(default_factory=list)
    figures: DetectionFigures = field(default_factory=DetectionFigures)
    cpu_ms: float = 0.0
    reach: list[tuple[float, float] | None] = field(default_factory=list)

    def add(self, clip: Clip, figures: DetectionFigures, cpu_ms: float) -> None:
        """Adds a clip."""
        self.clips.append(clip.name)
        self.figures += figures
        self.cpu_ms += cpu_ms
        for side in figures.first_px:
            distance = side and (side, metres(side, clip.size_wh[0], FIELD_OF_VIEW_DEG))
            self.reach.append(distance or None)


# {loop: {group: result}}
AnnotatedResults = dict[str, dict[str, GroupResult]]


def measure_annotated(
    clips: Iterator[tuple[Clip, Truth]], loops: Mapping[str, Callable[[], Loop]]
) -> AnnotatedResults:
    """Runs each loop once on each clip, from a fresh start.

    Args:
        clips: Clips with their truth; each may be dropped before the next is read.
        loops: {letter: opens a fresh loop}.

    Returns:
        {loop: {group: result}}. Next to the groups of the clips there are "real", "composed" and "all", as
        far as they have clips.
    """
    results: AnnotatedResults = {name: {} for name in loops}
    for clip, truth in clips:
        kind = "composed" if truth.group.startswith(COMPOSED) else "real"
        for name, open_loop in loops.items():
            run = play(open_loop(), clip)
            figures = detection_figures(truth, run.observed, clip.times)
            for group in (truth.group, kind, "all"):
                results[name].setdefault(group, GroupResult()).add(clip, figures, sum(run.cpu_ms))
    return results


def format_annotated(results: AnnotatedResults, descriptions: Mapping[str, str]) -> Iterator[str]:
    """Yields a table for each loop, a line for each group; processor time is relative to loop (a)."""
    sums = ("real", "composed", "all")
    for name, groups in results.items():
        yield f"({name}) {descriptions[name]}"
        own = sorted(group for group in groups if group not in sums)
        rows = [
            (group, *_cells(groups[group], results["a"][group] if "a" in results else None))
            for group in (*own, *(group for group in sums if group in groups))
        ]
        table = [("", *_COLUMNS), *rows]
        widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
        for row in table:
            yield "  " + "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        yield ""


def annotated_to_dict(results: AnnotatedResults) -> dict[str, Any]:
    """Returns the results for JSON, with counts and the figures computed from them."""
    return {
        name: {
            group: {"clips": each.clips, "cpu_ms": each.cpu_ms, **vars(each.figures)}
            for group, each in groups.items()
        }
        for name, groups in results.items()
    }


def _cells(result: GroupResult, plain: GroupResult | None) -> tuple[str, ...]:
    figures = result.figures
    first_s = [each for each in figures.first_s if each is not None]
    return (
        str(len(result.clips)),
        _ratio(figures.large_hits, figures.large_faces),
        _ratio(figures.small_hits, figures.small_faces),
        "-" if figures.precision is None else f"{figures.precision:.3f}",
        f"{figures.never_found} of {figures.people}" if figures.people else "-",
        f"{statistics.mean(figures.covered):.2f}" if figures.covered else "-",
        f"{statistics.median(first_s):.1f}/{_percentile_90(first_s):.1f}" if first_s else "-",
        _shortest_reach(result.reach),
        str(figures.switches) if figures.people else "-",
        f"{figures.label_changes / figures.tracked_s:.2f}" if figures.tracked_s else "-",
        _ratio(figures.uncertain_labels, figures.labels),
        f"{60 * figures.alarm_s / figures.seconds:.1f}",
        f"{result.cpu_ms / plain.cpu_ms:.3f}" if plain is not None and plain.cpu_ms else "-",
    )


def _shortest_reach(reach: Sequence[tuple[float, float] | None]) -> str:
    """Returns size and distance of the first report of the person who came nearest before it."""
    if not reach:
        return "-"
    reported = [each for each in reach if each is not None]
    if len(reported) < len(reach):
        return "never"
    side, distance = min(reported, key=lambda each: each[1])
    return f"{side:.0f} ({distance:.1f})"


def _ratio(part: float, whole: float) -> str:
    return f"{part / whole:.3f}" if whole else "-"


def _percentile_90(values: Sequence[float]) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(0.9 * len(ordered)))]
