"""Reads the figures in the folders of finished runs, and checks them."""

from __future__ import annotations

import csv
import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

from edge.errors import DataError
from edge.labels import FACE_TASKS
from train.recipes.registry import RECIPES

logger = logging.getLogger(__name__)

_FILES = ("run.json", "log.csv", "val.json")
# The columns that every version has written for a network that reads a face.
_LOG_COLUMNS = ("epoch", "accuracy", "val_accuracy")


@dataclass(frozen=True)
class RunRow:
    """The figures of a finished run.

    Attributes:
        folder: the run's folder, relative to the folder of all runs.
        recipe: name of the recipe.
        settings: hash of the recipe without its seed; equal for runs that differ in the seed alone.
        seed: seed of weights, order and augmentation.
        split: name of the validation split.
        count: number of rows in the validation split.
        parameters: number of weights and biases.
        multiply_accumulates: number of multiply-accumulates for one face.
        epochs: number of epochs that were trained.
        epochs_wanted: number of epochs in the recipe.
        training_accuracy: accuracy on the training split, 0 to 1.
        training_plain: whether it was measured on plain images; else it is the log's.
        validation_accuracy: accuracy on the validation split, 0 to 1.
        macro_f1: macro-F1 on the validation split, 0 to 1.
        int8_accuracy: accuracy of the int8 model on the validation split, 0 to 1; None if there is none.
        start: name of the run whose weights it began with, or "ImageNet"; empty for random weights and for
            what pruning left. Tables of earlier versions do not have it.
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
    start: str = ""

    @property
    def gap(self) -> float:
        """Training accuracy minus validation accuracy, -1 to 1."""
        return self.training_accuracy - self.validation_accuracy


def read_runs(folder: Path) -> list[RunRow]:
    """Returns all finished runs of networks that read a face, sorted by validation split and parameters.

    A folder with only some of a run's files, or with damaged ones, is left out with a line in the log. Runs
    within a run are its steps, which pruning makes, and are left out.

    Raises:
        DataError: the folder does not exist.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; expected the one that holds the runs")
    rows = []
    for path in sorted(path for path in folder.rglob("*") if path.is_dir()):
        parents = [parent for parent in path.relative_to(folder).parents if parent.name]
        # A pruning that is not finished has a plan only.
        if any((folder / parent / name).exists() for parent in parents for name in ("run.json", "plan.json")):
            continue
        missing = [name for name in _FILES if not (path / name).exists()]
        if len(missing) == len(_FILES):
            continue
        try:
            if missing:
                raise DataError(f"{path}: unfinished, no {', '.join(missing)}")
            if not _finds_faces(path):
                rows.append(_read_run(path, path.relative_to(folder).as_posix()))
        except DataError as error:
            logger.warning("left out: %s", error)
    return _sorted(rows)


def with_earlier(rows: Iterable[RunRow], table: Path) -> list[RunRow]:
    """Adds the runs of an earlier table, except those that were trained again.

    A comparison takes days of training: its runs are seldom all in one folder.

    Args:
        rows: the runs in the folder.
        table: a `table.csv` of `train.reports.comparison.write_table`. Its runs with a folder and split
            that are among `rows` are left out.

    Raises:
        DataError: the file cannot be read, or is no such table.
    """
    rows = list(rows)
    new = {_place(row) for row in rows}
    try:
        with table.open(encoding="utf-8", newline="") as text:
            lines = csv.DictReader(text)
            needed = {field.name for field in fields(RunRow) if field.default is MISSING}
            if missing := needed - set(lines.fieldnames or ()):
                raise KeyError(min(missing))
            earlier = [_parse_row(line) for line in lines]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"cannot read {table}: {error}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{table}: not a table of runs ({error}); expected the CSV of `train table`"
        ) from error
    return _sorted([*rows, *(row for row in earlier if _place(row) not in new)])


def _place(row: RunRow) -> tuple[str, str]:
    """Returns what two runs share if one is the other, trained again."""
    return row.folder, row.split


def _parse_row(line: Mapping[str, str]) -> RunRow:
    kinds = {field.name: field.type for field in fields(RunRow)}
    values: dict[str, Any] = {}
    for name, kind in kinds.items():
        if name not in line:
            continue  # a column that its table did not have yet
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


def read_log(path: Path, columns: Iterable[str] = _LOG_COLUMNS) -> list[dict[str, float]]:
    """Returns a run's `log.csv`, a row for each epoch.

    Args:
        path: the file. If its last line is incomplete, as a killed run leaves it, that line is ignored.
        columns: columns that must be there.

    Raises:
        DataError: the file cannot be read, holds no epoch, or a line is damaged.
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
        wanted = tuple(columns)
        return [row for row in rows if [row[name] for name in wanted]]
    except (TypeError, ValueError) as error:
        raise DataError(f"{path}: a line is damaged ({error})") from error
    except KeyError as error:
        raise DataError(f"{path}: column {error} is missing") from error


def read_object(file: Path) -> dict[str, Any]:
    """Returns the object in a JSON file.

    Raises:
        DataError: the file is missing or damaged, or holds no object.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"cannot read {file}: {error.strerror}") from error
    except ValueError as error:
        raise DataError(f"{file}: not JSON ({error})") from error
    if not isinstance(content, dict):
        raise DataError(f"{file}: expected an object")
    return content


def _finds_faces(path: Path) -> bool:
    """Returns whether a run's network finds faces: it has no accuracy to compare."""
    recipe = read_object(path / "run.json").get("recipe")
    return isinstance(recipe, Mapping) and recipe.get("task") in FACE_TASKS


def _read_run(path: Path, name: str) -> RunRow:
    run, validation = _Figures.read(path / "run.json"), _Figures.read(path / "val.json")
    recipe, log = run.part("recipe"), read_log(path / "log.csv")
    plain = (path / "train.json").exists()
    training = _Figures.read(path / "train.json").share("accuracy") if plain else log[-1]["accuracy"]
    if not 0 <= training <= 1:
        raise DataError(f"{path / 'log.csv'}: accuracy {training}, expected 0 to 1")
    int8 = _Figures.read(path / "int8.json") if (path / "int8.json").exists() else None
    # A network that cannot be converted to int8 is no damaged run.
    int8_accuracy = None if int8 is None or "error" in int8.values else int8.share("accuracy")
    settings = json.dumps({k: v for k, v in recipe.values.items() if k != "seed"}, sort_keys=True)
    return RunRow(
        folder=name,
        recipe=recipe.text("name"),
        settings=hashlib.sha256(settings.encode()).hexdigest()[:12],
        seed=recipe.integer("seed", 0),
        split=validation.text("split"),
        count=validation.integer("count"),
        parameters=run.integer("parameters"),
        multiply_accumulates=run.integer("multiply_accumulates"),
        epochs=len(log),
        epochs_wanted=_epochs_of_recipe(recipe),
        training_accuracy=training,
        training_plain=plain,
        validation_accuracy=validation.share("accuracy"),
        macro_f1=validation.share("macro_f1"),
        int8_accuracy=int8_accuracy,
        # What pruning left has its parent's recipe, and began with its own last step.
        start="" if (path / "plan.json").exists() else _start_of_recipe(recipe),
    )


def _start_of_recipe(recipe: _Figures) -> str:
    if recipe.values.get("start") is not None:
        return recipe.text("start")
    spec = recipe.values.get("spec")
    return "ImageNet" if isinstance(spec, Mapping) and spec.get("pretrained") is True else ""


def _epochs_of_recipe(recipe: _Figures) -> int:
    """Returns the registered recipe's number of epochs: the run may have been started with fewer."""
    known = RECIPES.get(recipe.text("name"))
    return known.epochs if known else recipe.integer("epochs")


@dataclass(frozen=True)
class _Figures:
    """An object of a JSON file; its values are checked when they are read."""

    where: str
    values: Mapping[str, Any]

    @classmethod
    def read(cls, file: Path) -> _Figures:
        return cls(str(file), read_object(file))

    def part(self, key: str) -> _Figures:
        return _Figures(f"{self.where}: {key}", self._value(key, (dict,), lambda _: True, "an object"))

    def text(self, key: str) -> str:
        return str(self._value(key, (str,), bool, "a text"))

    def integer(self, key: str, least: int = 1) -> int:
        expected = f"a whole number of {least} or more"
        return int(self._value(key, (int,), lambda value: value >= least, expected))

    def share(self, key: str) -> float:
        return float(self._value(key, (int, float), lambda value: 0 <= value <= 1, "0 to 1"))

    def _value(self, key: str, kinds: tuple[type, ...], fits: Callable[[Any], bool], expected: str) -> Any:
        if key not in self.values:
            raise DataError(f"{self.where}: no {key}; expected {expected}")
        value = self.values[key]
        # Compares the exact type: True is no number of epochs.
        if type(value) not in kinds or not fits(value):
            raise DataError(f"{self.where}: {key} {value!r}; expected {expected}")
        return value
