"""The folder of a run: what the run was started with, a lock, and the log of its epochs."""

from __future__ import annotations

import csv
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edge.errors import ConfigError, DataError
from edge.files import atomic_write
from edge.labels import FACE_TASKS
from train.models.spec import spec_from_dict


def claim(
    folder: Path, decisive: Mapping[str, Any], facts: Mapping[str, Any], name: str = "run.json"
) -> None:
    """Writes a run's settings into its folder, or checks that the run already in it is the same.

    Args:
        folder: the run's folder; created if it does not exist.
        decisive: everything that decides the result.
        facts: further facts of the run, which are not compared.
        name: name of the file.

    Raises:
        ConfigError: the folder holds another run, or checkpoints of an unknown one.
        OutputError: the file cannot be written.
    """
    file = folder / name
    if file.exists():
        check_same(file, decisive)
    elif any(folder.glob("*.keras")):
        raise ConfigError(f"{folder} holds checkpoints but no {name}; name another folder with --out")
    folder.mkdir(parents=True, exist_ok=True)
    content = json.dumps({**decisive, **facts}, indent=1) + "\n"
    atomic_write(file, lambda path: path.write_text(content, encoding="utf-8"))


def check_same(file: Path, decisive: Mapping[str, Any]) -> None:
    """Compares what decides a result with a `run.json` or `plan.json`.

    Raises:
        ConfigError: the file holds other values.
    """
    wanted = json.loads(json.dumps(decisive))
    try:
        stored = with_defaults(json.loads(file.read_text(encoding="utf-8")))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"{file}: damaged ({error!r}); remove the folder {file.parent}") from error
    differing = [key for key in wanted if stored.get(key) != wanted[key]]
    if differing:
        raise ConfigError(
            f"{file.parent} holds a run with another {', '.join(differing)}; "
            "name another folder with --out, or remove this one"
        )


def with_defaults(stored: dict[str, Any]) -> dict[str, Any]:
    """Adds what a run was written without, since it did not exist; its default is what was done then."""
    recipe = stored.get("recipe")
    if not isinstance(recipe, dict) or not isinstance(recipe.get("spec"), dict):
        return stored
    spec = json.loads(json.dumps(asdict(spec_from_dict(recipe["spec"]))))
    later: dict[str, Any] = {} if recipe.get("task") in FACE_TASKS else {"spoiling": None, "appearances": []}
    return {**stored, "recipe": {**later, **recipe, "spec": spec}}


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keeps other processes from training the run in a folder; the lock ends with this process.

    Raises:
        ConfigError: another process holds the lock.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigError(
                f"{folder}: another process is training it; wait, or name another folder with --out"
            ) from error
        yield
    finally:
        os.close(handle)


def is_restored(folder: Path) -> bool:
    """Returns whether the finished run was restored from an archive: it then has no optimizer state."""
    return (folder / "final.keras").exists() and not (folder / "last.weights.h5").exists()


def truncate_log(folder: Path, epochs: int) -> list[dict[str, float]]:
    """Removes the log's lines after the last finished epoch, and returns those before.

    A process that dies between writing the log and the weights leaves the line of an unfinished epoch.

    Args:
        folder: the run's folder.
        epochs: number of finished epochs.
    """
    file = folder / "log.csv"
    if not file.exists():
        return []
    with file.open(encoding="utf-8", newline="") as text:
        lines = text.readlines()
    finished = lines[: epochs + 1]
    if len(finished) < len(lines):
        content = "".join(finished)
        atomic_write(file, lambda path: path.write_text(content, encoding="utf-8", newline=""))
    return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(finished)]


def append_log(folder: Path, row: Mapping[str, float]) -> None:
    """Appends an epoch's line to `log.csv`; creates the file with its header if it does not exist.

    The columns of an earlier version's log stay as they are.

    Args:
        folder: the run's folder.
        row: {column: value}.
    """
    file = folder / "log.csv"
    columns = list(row)
    # Empty: the disk was full when its first line was written.
    if not (is_new := not file.exists() or not file.stat().st_size):
        with file.open(encoding="utf-8", newline="") as text:
            columns = next(csv.reader(text), columns)
    with file.open("a", encoding="utf-8", newline="") as text:
        writer = csv.DictWriter(text, columns, restval="nan", extrasaction="ignore")
        if is_new:
            writer.writeheader()
        writer.writerow({key: rounded(value) for key, value in row.items()})


def rounded(value: float) -> str:
    """Formats a figure as the log holds it: six significant digits."""
    return f"{value:.6g}"
