"""Tables in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def table(rows: Mapping[str, str]) -> str:
    """Returns a table of two columns without a header."""
    return "\n".join(["| | |", "|---|---|", *(f"| {key} | {value} |" for key, value in rows.items())])


def wide_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns a table with a header."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
