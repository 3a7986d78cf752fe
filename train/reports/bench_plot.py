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

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LINE_STYLES = {"a": ":", "b": "--", "c": "-"}
_LEGEND_TITLE = "solid: emotiny, dashed: classic, dotted: plain"


@dataclass(frozen=True)
class Scene:
    """One scene of the file.

    Attributes:
        faces: Number of faces.
        size_wh: Size of the frames in pixels.
        threads: Threads of OpenCV and of each network.
        ms: {loop: milliseconds per frame}.
    """

    faces: int
    size_wh: tuple[int, int]
    threads: int
    ms: Mapping[str, float]


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
    """Draws the time of a frame against the number of faces, and against the size of the frame.

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
    counts = sorted({scene.faces for scene in drawn})
    figure = Figure(figsize=(11, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    for number, size_wh in enumerate(sizes):
        rows = sorted((scene for scene in drawn if scene.size_wh == size_wh), key=lambda scene: scene.faces)
        _draw_lines(left, [scene.faces for scene in rows], rows, f"C{number}", f"{size_wh[0]}x{size_wh[1]}")
    for number, count in enumerate(counts):
        rows = sorted((scene for scene in drawn if scene.faces == count), key=lambda scene: scene.size_wh)
        megapixels = [scene.size_wh[0] * scene.size_wh[1] / 1e6 for scene in rows]
        _draw_lines(right, megapixels, rows, f"C{number}", f"{count} face{'s' if count > 1 else ''}")
    left.set(xlabel="faces", ylabel="ms per frame", xscale="log", yscale="log", xticks=counts)
    left.set_xticklabels([str(count) for count in counts])
    right.set(xlabel="megapixels", xscale="log", yscale="log")
    for axes in (left, right):
        axes.grid(alpha=0.3, which="both")
        axes.legend(
            fontsize="small",
            loc="upper center",
            bbox_to_anchor=(0.5, -0.15),
            ncols=5,
            title=_LEGEND_TITLE,
            title_fontsize="small",
        )
    atomic_write(path, lambda partial: figure.savefig(partial, dpi=110, format="png"))


def _draw_lines(axes: Axes, x: Sequence[float], rows: Sequence[Scene], colour: str, label: str) -> None:
    """Draws a line for each loop; only that of this package's loop has markers and an entry in the legend."""
    for name, style in _LINE_STYLES.items():
        is_own = name == "c"
        axes.plot(
            x,
            [scene.ms[name] for scene in rows],
            style,
            color=colour,
            label=label if is_own else None,
            marker="o" if is_own else None,
            markersize=3,
            linewidth=1.6 if is_own else 0.9,
        )


def _scene_of(fields: Mapping[str, Any]) -> Scene:
    width, height = fields["size_wh"]
    return Scene(
        faces=int(fields["faces"]),
        size_wh=(int(width), int(height)),
        threads=int(fields["threads"]),
        ms={name: float(fields["ms"][name]) for name in _LINE_STYLES},
    )
