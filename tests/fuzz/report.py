"""Prints what became of the inputs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tests.fuzz.campaign import Tally

_COLUMNS = ("inputs", "accepted", "refused", "failures", "by command", "peak MB", "child MB")


def table(tallies: Sequence[Tally]) -> Iterator[str]:
    """Yields the lines of a table with a row for each target, and of what failed."""
    rows = [
        (
            *(each.inputs, each.accepted, each.refused, each.failures, each.sampled),
            *(each.peak_kb // 1000, each.child_kb // 1000),
        )
        for each in tallies
    ]
    total = [sum(column) for column in list(zip(*rows, strict=True))[:5]] if rows else []
    width = max((len(each.name) for each in tallies), default=0)
    yield " " * width + "".join(f"{title:>12}" for title in _COLUMNS)
    for each, row in zip(tallies, rows, strict=True):
        yield f"{each.name:<{width}}" + "".join(f"{number:>12}" for number in row)
    yield f"{'all':<{width}}" + "".join(f"{number:>12}" for number in total)
    for each in tallies:
        for path, text in each.saved:
            lines = [line for line in text.splitlines() if line.strip()]
            last = lines[-1] if lines and lines[0].startswith("Traceback") else lines[0] if lines else ""
            yield ""
            yield f"{each.name}: {last[:200]}"
            yield f"  python -m tests.fuzz --target {each.name} --replay {path}"
