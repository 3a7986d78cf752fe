"""A table and a plot of what networks read on faces as a camera spoils them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from train.evaluation.corruptions import CAMERA_ROWS
from train.evaluation.robustness import Robustness
from train.reports.plots import BLUE, GRAY, ORANGE, save_figure

_MEAN = "camera accuracy"
_COLOURS = (BLUE, ORANGE, "#009e73", "#cc79a7", "#e69f00", "#56b4e9")  # by Okabe and Ito
_MARKS = "osD^vP"
_LINE_INCHES = 0.24


def robustness_lines(results: Mapping[str, Robustness]) -> Iterator[str]:
    """Yields the lines of a table: accuracy and calibration error of each network on each corruption.

    Args:
        results: {name of a network: its figures}, at least one.
    """
    names = list(next(iter(results.values())).figures)
    width = max(map(len, (*names, _MEAN))) + 2
    for title, result in results.items():
        yield f"{title}: {result.split}, {result.count:,} pictures"
    yield ""
    columns = [max(18, len(name)) for name in results]
    yield _line("", [f"{name:>{column}}" for name, column in zip(results, columns, strict=True)], width)
    yield _line("", [f"{'right   ECE':>{column}}" for column in columns], width)
    means = [f"{result.camera_accuracy:7.1%}{'':8}" for result in results.values()]
    yield _line(_MEAN, [f"{text:>{column}}" for text, column in zip(means, columns, strict=True)], width)
    for name in names:
        cells = [result.figures[name] for result in results.values()]
        texts = [f"{each.accuracy:7.1%} {each.calibration_error:7.1%}" for each in cells]
        yield _line(
            _marked(name), [f"{text:>{column}}" for text, column in zip(texts, columns, strict=True)], width
        )
    yield ""
    yield f"* not in the {_MEAN}, which is the mean of the others"


def save_robustness_png(results: Mapping[str, Robustness], path: Path) -> None:
    """Draws the accuracy of each network on each corruption, and the camera accuracy above.

    Args:
        results: {name of a network: its figures}, at least one.
        path: PNG file to write.

    Raises:
        OutputError: the file cannot be written.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import PercentFormatter

    names = list(next(iter(results.values())).figures)
    figure = Figure(figsize=(8.0, 1.4 + _LINE_INCHES * (len(names) + len(results))), layout="constrained")
    axes = figure.subplots()
    positions = [0.0, *(number + 1.5 for number in range(len(names)))]
    for number, (name, result) in enumerate(results.items()):
        values = [result.camera_accuracy, *(result.figures[row].accuracy for row in names)]
        axes.plot(
            values,
            positions,
            color=_COLOURS[number % len(_COLOURS)],
            linestyle="none",
            marker=_MARKS[number % len(_MARKS)],
            label=f"{name}: {result.camera_accuracy:.1%} ({result.split}, {result.count:,} pictures)",
        )
    axes.set_yticks(positions, [_MEAN, *map(_marked, names)], fontsize=9)
    axes.get_yticklabels()[0].set_fontweight("bold")
    axes.axhline(0.75, color=GRAY, linewidth=0.8)
    axes.invert_yaxis()
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.set_xlabel(f"accuracy; * not in the {_MEAN}")
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside upper left", fontsize=9, frameon=False)
    save_figure(figure, path)


def _marked(name: str) -> str:
    return name if name in CAMERA_ROWS else f"{name} *"


def _line(head: str, cells: list[str], width: int) -> str:
    return f"{head:<{width}}{'  '.join(cells)}".rstrip()
