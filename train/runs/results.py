"""What the folders of finished runs hold, checked as it is read."""

from __future__ import annotations

import csv
import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from edge.errors import DataError
from train.recipes.registry import RECIPES

logger = logging.getLogger(__name__)

_FILES = ("run.json", "log.csv", "val.json")


@dataclass(frozen=True)
class RunRow:
    """A finished run.

    Attributes:
        folder: where it lies below the folder of all runs.
        recipe: its name.
        settings: hash of the recipe but for its seed; equal for runs that differ in their seed alone.
        seed: of weights, order and augmentation.
        split: the rows that validation was measured on.
        count: their number.
        parameters: weights and biases.
        multiply_accumulates: for one face.
        epochs: that were run.
        epochs_wanted: the recipe's.
        training_accuracy: 0 to 1.
        training_plain: it was measured on plain pictures; else it is the log's.
        validation_accuracy: 0 to 1.
        macro_f1: on the validation split, 0 to 1.
        int8_accuracy: of the integer network on the validation split, 0 to 1; None where there is none.
    """

    folder: str
    recipe: str
    settings: str
    seed: int
    split: str
    count: int
    parameters: int
    multiply_accumulates: int
    epochs: int
    epochs_wanted: int
    training_accuracy: float
    training_plain: bool
    validation_accuracy: float
    macro_f1: float
    int8_accuracy: float | None

    @property
    def gap(self) -> float:
        """Training less validation accuracy, -1 to 1."""
        return self.training_accuracy - self.validation_accuracy


def read_runs(folder: Path) -> list[RunRow]:
    """Every finished run below a folder, by validation split and parameters.

    A folder with only some of a run's files, or with damaged ones, is left out with a line in the log; runs
    within a run, as pruning makes them, are parts of that, even while it is at it.

    Raises:
        DataError: there is no such folder.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; expected the one that holds the runs")
    rows = []
    for path in sorted(each for each in folder.rglob("*") if each.is_dir()):
        above = [each for each in path.relative_to(folder).parents if each.name]
        # Of a pruning that is not done yet only the plan is there.
        if any((folder / each / name).exists() for each in above for name in ("run.json", "plan.json")):
            continue
        missing = [name for name in _FILES if not (path / name).exists()]
        if len(missing) == len(_FILES):
            continue
        try:
            if missing:
                raise DataError(f"{path}: unfinished, no {', '.join(missing)}")
            rows.append(_read_run(path, path.relative_to(folder).as_posix()))
        except DataError as error:
            logger.warning("left out: %s", error)
    return _sorted(rows)


def with_earlier(rows: Iterable[RunRow], table: Path) -> list[RunRow]:
    """The runs together with those of an earlier table whose recipe and seed no run here has.

    A comparison takes days of training; nobody has all of its runs in one folder, or wants to keep them.

    Args:
        rows: of the runs that are there.
        table: a `table.csv` as `train.reports.comparison.write_table` writes it.

    Raises:
        DataError: it cannot be read, or is not such a table.
    """
    rows = list(rows)
    new = {(row.recipe, row.seed, row.split) for row in rows}
    try:
        with table.open(encoding="utf-8", newline="") as text:
            lines = csv.DictReader(text)
            if lost := {field.name for field in fields(RunRow)} - set(lines.fieldnames or ()):
                raise KeyError(min(lost))
            earlier = [_parsed(line) for line in lines]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"cannot read {table}: {error}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{table}: not a table of runs ({error}); expected the CSV of `train table`"
        ) from error
    return _sorted([*rows, *(row for row in earlier if (row.recipe, row.seed, row.split) not in new)])


def _parsed(line: Mapping[str, str]) -> RunRow:
    kinds = {field.name: field.type for field in fields(RunRow)}
    values: dict[str, Any] = {}
    for name, kind in kinds.items():
        text = line[name]
        if kind == "bool":
            values[name] = {"True": True, "False": False}[text]
        elif kind == "float | None":
            values[name] = float(text) if text else None
        else:
            values[name] = {"str": str, "int": int, "float": float}[str(kind)](text)
    return RunRow(**values)


def _sorted(rows: Iterable[RunRow]) -> list[RunRow]:
    return sorted(
        rows, key=lambda row: (row.split, row.count, row.parameters, row.recipe, row.seed, row.folder)
    )


def read_log(path: Path) -> list[dict[str, float]]:
    """A run's `log.csv`, an epoch a row.

    Args:
        path: of the file; its last line may be cut, as a killed run leaves it, and then goes.

    Raises:
        DataError: it cannot be read, holds no epoch, or a line is damaged.
    """
    try:
        with path.open(encoding="utf-8", newline="") as text:
            lines = list(csv.DictReader(text, restkey="more"))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"cannot read {path}: {error}") from error
    if lines and None in lines[-1].values():
        lines.pop()
    if not lines:
        raise DataError(f"{path}: no epoch is logged")
    try:
        rows = [{key: float(value) for key, value in line.items()} for line in lines]
        # What every epoch of any version wrote.
        return [row for row in rows if (row["epoch"], row["accuracy"], row["val_accuracy"])]
    except (TypeError, ValueError) as error:
        raise DataError(f"{path}: a line is damaged ({error})") from error
    except KeyError as error:
        raise DataError(f"{path}: column {error} is missing") from error


def read_object(file: Path) -> dict[str, Any]:
    """What a JSON file holds.

    Raises:
        DataError: it is missing, damaged or no object.
    """
    try:
        held = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"cannot read {file}: {error.strerror}") from error
    except ValueError as error:
        raise DataError(f"{file}: not JSON ({error})") from error
    if not isinstance(held, dict):
        raise DataError(f"{file}: expected an object")
    return held


def _read_run(path: Path, name: str) -> RunRow:
    run, validation = _Figures.read(path / "run.json"), _Figures.read(path / "val.json")
    recipe, log = run.part("recipe"), read_log(path / "log.csv")
    plain = (path / "train.json").exists()
    training = _Figures.read(path / "train.json").share("accuracy") if plain else log[-1]["accuracy"]
    if not 0 <= training <= 1:
        raise DataError(f"{path / 'log.csv'}: accuracy {training}, expected 0 to 1")
    int8 = _Figures.read(path / "int8.json") if (path / "int8.json").exists() else None
    # A network that has no integer form is no damaged run.
    integers = None if int8 is None or "error" in int8.held else int8.share("accuracy")
    settings = json.dumps({k: v for k, v in recipe.held.items() if k != "seed"}, sort_keys=True)
    return RunRow(
        folder=name,
        recipe=recipe.text("name"),
        settings=hashlib.sha256(settings.encode()).hexdigest()[:12],
        seed=recipe.whole("seed", 0),
        split=validation.text("split"),
        count=validation.whole("count"),
        parameters=run.whole("parameters"),
        multiply_accumulates=run.whole("multiply_accumulates"),
        epochs=len(log),
        epochs_wanted=_epochs_of_recipe(recipe),
        training_accuracy=training,
        training_plain=plain,
        validation_accuracy=validation.share("accuracy"),
        macro_f1=validation.share("macro_f1"),
        int8_accuracy=integers,
    )


def _epochs_of_recipe(recipe: _Figures) -> int:
    """The recipe's own number: a run may have been asked for fewer."""
    known = RECIPES.get(recipe.text("name"))
    return known.epochs if known else recipe.whole("epochs")


@dataclass(frozen=True)
class _Figures:
    """An object of a JSON file, whose values are checked as they are asked for."""

    where: str
    held: Mapping[str, Any]

    @classmethod
    def read(cls, file: Path) -> _Figures:
        return cls(str(file), read_object(file))

    def part(self, key: str) -> _Figures:
        return _Figures(f"{self.where}: {key}", self._value(key, (dict,), lambda _: True, "an object"))

    def text(self, key: str) -> str:
        return str(self._value(key, (str,), bool, "a text"))

    def whole(self, key: str, least: int = 1) -> int:
        expected = f"a whole number of {least} or more"
        return int(self._value(key, (int,), lambda value: value >= least, expected))

    def share(self, key: str) -> float:
        return float(self._value(key, (int, float), lambda value: 0 <= value <= 1, "0 to 1"))

    def _value(self, key: str, kinds: tuple[type, ...], fits: Callable[[Any], bool], expected: str) -> Any:
        if key not in self.held:
            raise DataError(f"{self.where}: no {key}; expected {expected}")
        value = self.held[key]
        # By exact type: True is no number of epochs.
        if type(value) not in kinds or not fits(value):
            raise DataError(f"{self.where}: {key} {value!r}; expected {expected}")
        return value
