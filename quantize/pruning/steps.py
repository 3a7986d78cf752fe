"""The steps of a pruning, and the table `steps.csv` that records them."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from edge.errors import DataError
from edge.files import atomic_write


@dataclass(frozen=True)
class PruningStep:
    """Result of one step. The field names are the columns of `steps.csv`.

    Attributes:
        number: number of the step; 0 is the unpruned network.
        parameters: number of parameters as stored.
        multiply_accumulates: multiply-accumulates for one image of the size that it is trained on.
        before: score on the validation split right after the removal of channels, 0 to 1: accuracy, or that
            by which the recipe's best epoch is chosen.
        after: the same after the step's epochs of training.
        widths: number of channels of every group, "stem 12, stage0 32, ...".
    """

    number: int
    parameters: int
    multiply_accumulates: int
    before: float
    after: float
    widths: str


def read_steps(path: Path) -> tuple[PruningStep, ...]:
    """Reads a `steps.csv`.

    Raises:
        DataError: the file cannot be read, or is no such table.
    """
    parsers = {"int": int, "float": float, "str": str}
    try:
        with path.open(encoding="utf-8", newline="") as text:
            return tuple(
                PruningStep(
                    **{each.name: parsers[str(each.type)](line[each.name]) for each in fields(PruningStep)}
                )
                for line in csv.DictReader(text)
            )
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path}: no table of pruning steps ({error})") from error


def write_steps(steps: Sequence[PruningStep], path: Path) -> None:
    """Writes a `steps.csv` in place of an older one."""

    def write(partial: Path) -> None:
        with partial.open("w", encoding="utf-8", newline="") as text:
            writer = csv.DictWriter(text, [each.name for each in fields(PruningStep)])
            writer.writeheader()
            writer.writerows(asdict(step) for step in steps)

    atomic_write(path, write)
