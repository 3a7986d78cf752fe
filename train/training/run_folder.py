"""A run's folder: what it was started with, its log, and files that are there whole or not at all."""

from __future__ import annotations

import csv
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edge.errors import ConfigError
from edge.files import atomic_write

_COLUMNS = (
    *("epoch", "learning_rate", "loss", "accuracy"),
    *("val_loss", "val_accuracy", "val_macro_f1", "seconds"),
)


def claim(
    folder: Path, decisive: Mapping[str, Any], facts: Mapping[str, Any], name: str = "run.json"
) -> None:
    """Makes the folder a run's own and writes `run.json`, or checks that the run in it is the same.

    Args:
        folder: made if it is not there.
        decisive: everything that decides the result.
        facts: what else is worth knowing of the run; no reason to refuse one.
        name: of the file.

    Raises:
        ConfigError: the folder holds another run, or checkpoints of an unknown one.
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
    """Holds what decides a result against what a `run.json` or `plan.json` says.

    Raises:
        ConfigError: it says otherwise.
    """
    wanted = json.loads(json.dumps(decisive))
    held = json.loads(file.read_text(encoding="utf-8"))
    differing = [key for key in wanted if held.get(key) != wanted[key]]
    if differing:
        raise ConfigError(
            f"{file.parent} holds a run with another {', '.join(differing)}; "
            "name another folder with --out, or remove this one"
        )


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keeps every other process from training the run in a folder; the lock goes with this process.

    Raises:
        ConfigError: one does already.
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
    """Whether the run was trained elsewhere and restored here: it has no optimizer state."""
    return (folder / "final.keras").exists() and not (folder / "last.weights.h5").exists()


def truncate_log(folder: Path, epochs: int) -> list[dict[str, float]]:
    """The log's first epochs; a later line, of an epoch whose checkpoint was not written any more, goes."""
    file = folder / "log.csv"
    if not file.exists():
        return []
    with file.open(encoding="utf-8", newline="") as text:
        lines = text.readlines()
    kept = lines[: epochs + 1]
    if len(kept) < len(lines):
        atomic_write(file, lambda path: path.write_text("".join(kept), encoding="utf-8", newline=""))
    return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(kept)]


def append_log(folder: Path, row: Mapping[str, Any]) -> None:
    """Adds an epoch's line to `log.csv`, which it begins where there is none."""
    file = folder / "log.csv"
    fresh = not file.exists()
    with file.open("a", encoding="utf-8", newline="") as text:
        writer = csv.DictWriter(text, _COLUMNS)
        if fresh:
            writer.writeheader()
        writer.writerow({key: rounded(row[key]) for key in _COLUMNS})


def rounded(value: float) -> str:
    """A figure as the log has it."""
    return f"{value:.6g}"
