"""The names of runs in a comparison."""

from __future__ import annotations

from collections.abc import Sequence

from train.runs.results import RunRow


def run_names(rows: Sequence[RunRow]) -> dict[RunRow, str]:
    """Returns a name for each run: its recipe's, with what it began from where the recipe alone is ambiguous.

    Args:
        rows: all runs of the comparison.
    """
    starts: dict[tuple[str, str], set[str]] = {}
    for row in rows:
        starts.setdefault((row.split, row.recipe), set()).add(row.start)

    def name(row: RunRow) -> str:
        if len(starts[row.split, row.recipe]) == 1:
            return row.recipe
        return f"{row.recipe} from {row.start or 'random weights'}"

    return {row: name(row) for row in rows}
