"""Writes the figures of each epoch for TensorBoard."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from edge.errors import ConfigError, OutputError

# A row of the log has the prefix of the validation split; TensorBoard draws tags of one group side by side.
_TAGS = {
    "loss": "loss/training",
    "val_loss": "loss/validation",
    "accuracy": "accuracy/training targets",
    "train_accuracy": "accuracy/training",
    "val_accuracy": "accuracy/validation",
}


@contextmanager
def tensorboard(folder: Path | None) -> Iterator[None]:
    """Writes the figures of all epochs that are trained until the block ends.

    Args:
        folder: folder for the event files, one below it for each run; None to write none.

    Raises:
        ConfigError: a package that writes them is not installed.
        OutputError: the folder cannot be written.
    """
    if folder is None:
        yield
        return
    missing = [name for name in ("tensorflow", "tensorboard") if find_spec(name) is None]
    if missing:
        raise ConfigError(f"--tensorboard needs the package {missing[0]}: `pip install {missing[0]}`")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write into {folder}: {error.strerror}") from error
    handler, source = _Events(folder), logging.getLogger("train.training.fit")
    source.addHandler(handler)
    try:
        yield
    finally:
        source.removeHandler(handler)
        handler.close()


class _Events(logging.Handler):
    """Receives the log record of each epoch, and writes its row."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        self._writers: dict[str, Any] = {}

    def emit(self, record: logging.LogRecord) -> None:
        row, run = getattr(record, "row", None), getattr(record, "run", None)
        if row is None or run is None:
            return
        import tensorflow as tf

        if run not in self._writers:
            self._writers[run] = tf.summary.create_file_writer(str(self._folder / run))
        with self._writers[run].as_default(step=int(row["epoch"])):
            for name, value in row.items():
                if name != "epoch":
                    tf.summary.scalar(_TAGS.get(name, name.removeprefix("val_")), value)
        self._writers[run].flush()

    def close(self) -> None:
        for writer in self._writers.values():
            writer.close()
        super().close()
