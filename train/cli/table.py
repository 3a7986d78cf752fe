"""`table`: compares all finished runs in Markdown, CSV and a plot."""

from __future__ import annotations

import argparse

from train.reports.comparison import write_table
from train.runs.results import read_runs, with_earlier


def run(arguments: argparse.Namespace) -> None:
    """Writes the table, and prints it as Markdown."""
    out = arguments.out or arguments.runs
    rows = read_runs(arguments.runs)
    write_table(with_earlier(rows, arguments.earlier) if arguments.earlier else rows, out)
    print((out / "table.md").read_text(encoding="utf-8"))
