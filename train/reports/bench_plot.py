"""A plot of what `emotiny bench --scenes --json FILE` measured.

It is drawn on the desktop, from the file, because matplotlib is no part of what a device installs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.errors import ConfigError
from edge.files import atomic_write
from train.reports.bench_file import read_bench_file
from train.reports.plots import BLUE, GRAY, ORANGE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# As docs/performance.md names the loops.
_LOOPS = {"a": "(a) plain", "b": "(b) as usually written", "c": "(c) emotiny"}
_COLOURS = {"a": GRAY, "b": ORANGE, "c": BLUE}
_TAILS = ("p50", "p95", "p99", "worst")


@dataclass(frozen=True)
class Scene:
    """One scene of the file.

    Attributes:
        faces: Number of faces.
        size_wh: Size of the frames in pixels.
        threads: Threads of OpenCV and of each network.
        ms: {loop: milliseconds per frame}.
        frame: {"p50", "p95", "p99" or "worst": milliseconds of a frame of this package's loop}.
        stages: {stage: the same of each of its stages}.
    """

    faces: int
    size_wh: tuple[int, int]
    threads: int
    ms: Mapping[str, float]
    frame: Mapping[str, float]
    stages: Mapping[str, Mapping[str, float]]


def read_scenes(path: Path) -> list[Scene]:
    """Reads the composed scenes of a file that `emotiny bench --scenes --json` wrote.

    Raises:
        ConfigError: The file cannot be read, is of another version, or holds no scenes.
    """
    scenes = read_bench_file(path, lambda content: [_scene_of(fields) for fields in content["scenes"]])
    if not scenes:
        raise ConfigError(f"{path}: no scenes; expected what `bench --scenes --json` wrote")
    return scenes


def save_scenes_png(scenes: Sequence[Scene], path: Path) -> None:
    """Draws what a frame costs in each loop, by the number of faces and the size of the frame.

    Of scenes that were measured with several numbers of threads, those with the fewest are drawn.

    Args:
        scenes: At least one.
        path: PNG file to write.

    Raises:
        OutputError: The file cannot be written.
    """
    from matplotlib.figure import Figure

    fewest_threads = min(scene.threads for scene in scenes)
    drawn = [scene for scene in scenes if scene.threads == fewest_threads]
    sizes = sorted({scene.size_wh for scene in drawn})
    figure = Figure(figsize=(3.2 * max(2, len(sizes)), 3.9), layout="constrained")
    all_axes = figure.subplots(1, len(sizes), sharey=True, squeeze=False)[0]
    for axes, size_wh in zip(all_axes, sizes, strict=True):
        rows = sorted((scene for scene in drawn if scene.size_wh == size_wh), key=lambda scene: scene.faces)
        _draw_size(axes, rows)
        axes.set(title=f"{size_wh[0]}x{size_wh[1]}", xlabel="faces", yscale="log")
    all_axes[0].set_ylabel("ms per frame")
    all_axes[0].yaxis.set_major_formatter("{x:g}")
    handles, labels = all_axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize="small", frameon=False)
    atomic_write(path, lambda partial: figure.savefig(partial, dpi=110, format="png"))


def _draw_size(axes: Axes, rows: Sequence[Scene]) -> None:
    """Draws the mean of each loop, and the slowest frames of this package's."""
    positions = list(range(len(rows)))
    for loop, name in _LOOPS.items():
        means = [scene.ms[loop] for scene in rows]
        axes.plot(positions, means, "o-", color=_COLOURS[loop], markersize=4, label=f"{name}, mean")
    for tail, style, text in (("p99", "--", "99 of 100 frames take less"), ("worst", ":", "slowest frame")):
        times = [scene.frame[tail] for scene in rows]
        axes.plot(positions, times, style, color=BLUE, linewidth=1.2, label=f"(c) {text}")
    axes.set_xticks(positions, [str(scene.faces) for scene in rows])
    axes.grid(alpha=0.3, axis="y")
    axes.spines[["top", "right"]].set_visible(False)


def _scene_of(fields: Mapping[str, Any]) -> Scene:
    width, height = fields["size_wh"]

    def tail(values: Mapping[str, Any]) -> dict[str, float]:
        return {name: float(values[name]) for name in _TAILS}

    return Scene(
        faces=int(fields["faces"]),
        size_wh=(int(width), int(height)),
        threads=int(fields["threads"]),
        ms={name: float(fields["ms"][name]) for name in _LOOPS},
        frame=tail(fields["frame"]),
        stages={stage: tail(values) for stage, values in fields["stages"].items()},
    )
