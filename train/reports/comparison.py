"""Compares all finished runs: cost, accuracy, and the gap between training and validation."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from edge.errors import DataError
from edge.files import atomic_write
from train.recipes.claims import CLAIMS
from train.reports.comparison_plot import draw_table
from train.reports.plots import save_figure
from train.reports.run_names import run_names
from train.runs.results import RunRow

_HEADER = (
    *("recipe", "parameters", "multiply-accumulates", "epochs"),
    *("training", "validation", "gap", "macro-F1", "int8"),
)
# The names that the datasets' authors gave to the splits.
_PUBLISHED = {"FER-2013 val": "FER-2013 PublicTest"}
_FOOTNOTE = (
    "\\* from the log's last line: on changed pictures, against the targets, while the weights still moved. "
    "All others are measured on plain training pictures."
)


def markdown_table(rows: Sequence[RunRow]) -> str:
    """Returns a Markdown table of the runs for each validation split, since splits do not compare."""
    seeded = {row.recipe for row in rows if any(_differ_in_seed(row, other) for other in rows)}
    names = run_names(rows)

    def cells(row: RunRow) -> tuple[str, ...]:
        mark = "" if row.training_plain else "\\*"
        return (
            names[row] + (f", seed {row.seed}" if row.recipe in seeded else ""),
            f"{row.parameters:,}",
            _millions(row.multiply_accumulates),
            f"{row.epochs} of {row.epochs_wanted}",
            f"{row.training_accuracy:.1%}{mark}",
            f"{row.validation_accuracy:.1%}",
            f"{100 * row.gap:+.1f}{mark}",
            f"{row.macro_f1:.3f}",
            "-" if row.int8_accuracy is None else f"{row.int8_accuracy:.1%}",
        )

    return _tables(rows, lambda part: (_HEADER, *map(cells, part)))


def seeds_table(rows: Sequence[RunRow]) -> str:
    """Returns a Markdown table of the recipes: mean ± half range over the seeds, and the number of seeds.

    Runs are joined if they differ in the seed alone; of two runs with the same seed the last one counts.
    """
    names = run_names(rows)

    def cells(runs: Sequence[RunRow]) -> tuple[str, ...]:
        plain = all(row.training_plain for row in runs)
        mark = "" if plain else "\\*"
        int8 = [row.int8_accuracy for row in runs if row.int8_accuracy is not None]
        return (
            names[runs[0]],
            str(len(runs)),
            f"{runs[0].parameters:,}",
            _spread([100 * row.training_accuracy for row in runs], ".1f", "%") + mark,
            _spread([100 * row.validation_accuracy for row in runs], ".1f", "%"),
            _spread([100 * row.gap for row in runs], "+.1f") + mark,
            _spread([row.macro_f1 for row in runs], ".3f"),
            _spread([100 * accuracy for accuracy in int8], ".1f", "%") if len(int8) == len(runs) else "-",
        )

    header = ("recipe", "seeds", "parameters", *_HEADER[4:])
    return _tables(rows, lambda part: (header, *map(cells, _by_recipe(part))))


def claims_table(rows: Sequence[RunRow]) -> str:
    """Returns a Markdown table of what authors claim of their networks beside the runs here; may be empty."""
    header = ("recipe", "its authors claim", "here, on the validation split", "epochs")
    names = run_names(rows)
    body = [
        (
            names[row],
            CLAIMS[row.recipe],
            f"{row.validation_accuracy:.1%}",
            f"{row.epochs} of {row.epochs_wanted}",
        )
        for row in rows
        if row.recipe in CLAIMS
    ]
    return _markdown(header, body) if body else ""


def write_table(rows: Sequence[RunRow], folder: Path) -> tuple[Path, ...]:
    """Writes `table.md`, `table.csv` (plain numbers) and `table.png` (a plot) into a folder.

    Returns:
        The three files.

    Raises:
        DataError: there are no rows.
        OutputError: a file cannot be written.
    """
    if not rows:
        raise DataError("no finished run to show; train one with `make train`")
    text = f"# Runs\n\n{markdown_table(rows)}\n![Accuracy of all runs](table.png)\n"
    if any(_differ_in_seed(row, other) for row in rows for other in rows):
        text += f"\n## Over seeds\n\nMean ± half range.\n\n{seeds_table(rows)}"
    if claims := claims_table(rows):
        text += f"\n## What their authors claim\n\n{claims}\n"
    _write(folder / "table.md", text)
    lines = io.StringIO()
    writer = csv.DictWriter(lines, [*asdict(rows[0]), "gap"], lineterminator="\n")
    writer.writeheader()
    writer.writerows({**asdict(row), "gap": round(row.gap, 6)} for row in rows)
    _write(folder / "table.csv", lines.getvalue())
    save_figure(draw_table(_by_recipe(rows), _PUBLISHED), folder / "table.png")
    return folder / "table.md", folder / "table.csv", folder / "table.png"


def _differ_in_seed(row: RunRow, other: RunRow) -> bool:
    return row.settings == other.settings and row.split == other.split and row.seed != other.seed


def _by_recipe(rows: Iterable[RunRow]) -> list[list[RunRow]]:
    joined: dict[tuple[str, str, int, int], dict[int, RunRow]] = {}
    for row in rows:
        key = row.split, row.settings, row.parameters, row.epochs
        joined.setdefault(key, {})[row.seed] = row
    return [list(runs.values()) for runs in joined.values()]


def _tables(rows: Sequence[RunRow], table: Callable[[Sequence[RunRow]], tuple[tuple[str, ...], ...]]) -> str:
    parts = []
    for split, count in dict.fromkeys((row.split, row.count) for row in rows):
        part = [row for row in rows if (row.split, row.count) == (split, count)]
        header, *body = table(part)
        footnote = "" if all(row.training_plain for row in part) else f"\n{_FOOTNOTE}\n"
        parts.append(f"Validation on {split}, {count:,} pictures:\n\n{_markdown(header, body)}\n{footnote}")
    return "\n".join(parts)


def _markdown(header: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    rule = ("---", *("---:" for _ in header[1:]))
    return "\n".join("| " + " | ".join(map(_escape, line)) + " |" for line in (header, rule, *body))


def _escape(cell: str) -> str:
    return cell.replace("|", "\\|")


def _millions(value: int) -> str:
    return f"{value / 1e6:,.2f} M"


def _spread(values: Sequence[float], form: str, unit: str = "") -> str:
    mean = format(sum(values) / len(values), form)
    if len(values) == 1:
        return mean + unit
    return f"{mean} ± {format((max(values) - min(values)) / 2, form.lstrip('+'))}{unit}"


def _write(path: Path, text: str) -> None:
    atomic_write(path, lambda partial: partial.write_text(text, encoding="utf-8"))
