"""The expanded set as files: a folder of pictures that any tool can read, and a sheet to look at."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from edge.errors import ConfigError, OutputError
from edge.types import Gray
from train.data import Dataset

_ROWS = 3  # pictures of each label on the sheet
_ENLARGED = 2


def write_expansion(training: Dataset, views: Gray, validation: Dataset, crops: Gray, folder: Path) -> Path:
    """Writes every view of every picture as `train/<label>/<row>-<view>.png`, and `sheet.png`.

    The validation pictures lie beside them as `val/<label>/<row>.png`. Of FER-2013, this is its folder form:
    `python -m train` reads it again, with the splits that it had and no test rows. Were there no `val/`, the
    reader would draw one, and copies of a picture would lie on both sides.

    Args:
        training: N rows.
        views: (K, N, size, size) uint8 of the same rows.
        validation: M rows.
        crops: (M, size, size) uint8 of the same rows, unchanged, as the first of the views.
        folder: must not be there yet.

    Returns:
        The sheet.

    Raises:
        ConfigError: the folder is there already.
        OutputError: a file cannot be written.
    """
    check_free(folder)
    for split, name in product(("train", "val"), training.label_names):
        (folder / split / name).mkdir(parents=True)
    for row, label in enumerate(tqdm(training.labels, desc="writing", unit="picture", mininterval=2.0)):
        for view, images in enumerate(views):
            _write(folder / "train" / training.label_names[label] / f"{row:06d}-{view}.png", images[row])
    for row, label in enumerate(validation.labels):
        _write(folder / "val" / validation.label_names[label] / f"{row:06d}.png", crops[row])
    _write(folder / "sheet.png", contact_sheet(training, views))
    return folder / "sheet.png"


def check_free(folder: Path) -> None:
    """Refuses a folder that is there already, before hours are spent on what it is to hold.

    Raises:
        ConfigError: it is.
    """
    if folder.exists():
        raise ConfigError(f"{folder} exists; name a folder that is not there yet")


def contact_sheet(training: Dataset, views: Gray) -> Gray:
    """Some pictures of each label, a row each: the original, then its changed copies.

    Args:
        training: N rows.
        views: (K, N, size, size) uint8 of the same rows.

    Returns:
        (rows * 2 size, K * 2 size) uint8.
    """
    lines = []
    for label in range(len(training.label_names)):
        for row in np.flatnonzero(training.labels == label)[:_ROWS]:
            lines.append(np.hstack([np.asarray(images[row]) for images in views]))
    sheet = np.vstack(lines)
    return sheet.repeat(_ENLARGED, axis=0).repeat(_ENLARGED, axis=1)


def _write(path: Path, picture: Gray) -> None:
    if not cv2.imwrite(str(path), picture):
        raise OutputError(f"cannot write {path}")
