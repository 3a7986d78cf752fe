"""The bench's results as pictures; matplotlib is of the desktop, and asked for only here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edge.bench.scenes import Scene
from edge.errors import MissingDependencyError, OutputError

_STYLES = {"a": ":", "b": "--", "c": "-"}


def save_scenes_png(scenes: Sequence[Scene], path: Path) -> None:
    """Draws what a frame costs against the number of faces and against the picture's size, on one thread.

    Raises:
        MissingDependencyError: matplotlib is not installed.
        OutputError: the picture cannot be written.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingDependencyError(f"{error}: pip install matplotlib, or leave out --plot") from error
    figure = Figure(figsize=(11, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    least = min(scene.threads for scene in scenes)
    chosen = [scene for scene in scenes if scene.threads == least]
    sizes = sorted({scene.size_wh for scene in chosen})
    counts = sorted({scene.faces for scene in chosen})
    for colour, size_wh in enumerate(sizes):
        rows = sorted((one for one in chosen if one.size_wh == size_wh), key=lambda one: one.faces)
        _lines(left, [one.faces for one in rows], rows, f"C{colour}", f"{size_wh[0]}x{size_wh[1]}")
    for colour, count in enumerate(counts):
        rows = sorted((one for one in chosen if one.faces == count), key=lambda one: one.size_wh)
        pixels = [one.size_wh[0] * one.size_wh[1] / 1e6 for one in rows]
        _lines(right, pixels, rows, f"C{colour}", f"{count} face{'s' if count > 1 else ''}")
    left.set(xlabel="faces", ylabel="ms a frame", xscale="log", yscale="log", xticks=counts)
    left.set_xticklabels([str(count) for count in counts])
    right.set(xlabel="megapixels", xscale="log", yscale="log")
    for axes in (left, right):
        axes.grid(alpha=0.3, which="both")
        axes.legend(
            fontsize="small",
            loc="upper center",
            bbox_to_anchor=(0.5, -0.15),
            ncols=5,
            title="solid: emotiny, dashed: classic, dotted: plain",
            title_fontsize="small",
        )
    part = path.with_name(f".{path.name}.part")
    try:
        figure.savefig(part, dpi=110, format="png")
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise OutputError(f"cannot write {path}: {error.strerror}") from error


def _lines(axes: Any, x: Sequence[float], rows: Sequence[Scene], colour: str, label: str) -> None:
    for name, style in _STYLES.items():
        axes.plot(
            x,
            [row.ms[name] for row in rows],
            style,
            color=colour,
            label=label if name == "c" else None,
            marker="o" if name == "c" else None,
            markersize=3,
            linewidth=1.6 if name == "c" else 0.9,
        )
