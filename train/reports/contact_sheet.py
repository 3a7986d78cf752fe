"""The expanded training set as files: a folder of images that any tool can read, and a contact sheet."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import cv2
import numpy as np

from edge.errors import ConfigError, OutputError
from edge.types import Gray
from train.data import Dataset
from train.progress import tracked

_ROWS = 3  # images of each label on the sheet
_ENLARGEMENT = 2


def write_expansion(training: Dataset, views: Gray, validation: Dataset, crops: Gray, folder: Path) -> Path:
    """Writes all views as `train/<label>/<row>-<view>.png`, the validation images, and `sheet.png`.

    Validation images are written as `val/<label>/<row>.png`. This is FER-2013's folder form, which
    `python -m train` reads again with the same splits and without test rows. Without `val/`, the reader would
    draw a validation split, and views of one image would come to lie in both splits.

    Args:
        training: N rows.
        views: (K, N, size, size) uint8, views of these rows.
        validation: M rows.
        crops: (M, size, size) uint8, unchanged crops of these rows.
        folder: folder to write; must not exist.

    Returns:
        The contact sheet.

    Raises:
        ConfigError: the folder exists.
        OutputError: a file cannot be written.
    """
    check_free(folder)
    for split, name in product(("train", "val"), training.label_names):
        (folder / split / name).mkdir(parents=True)
    for row, label in enumerate(tracked(training.labels, "writing", "images")):
        for view, images in enumerate(views):
            _write(folder / "train" / training.label_names[label] / f"{row:06d}-{view}.png", images[row])
    for row, label in enumerate(validation.labels):
        _write(folder / "val" / validation.label_names[label] / f"{row:06d}.png", crops[row])
    _write(folder / "sheet.png", contact_sheet(training, views))
    return folder / "sheet.png"


def check_free(folder: Path) -> None:
    """Checks that a folder does not exist, before hours are spent on its content.

    Raises:
        ConfigError: the folder exists.
    """
    if folder.exists():
        raise ConfigError(f"{folder} exists; name a folder that does not exist yet")


def contact_sheet(training: Dataset, views: Gray) -> Gray:
    """Draws a few images of each label, a line each: the original, then its changed copies.

    Args:
        training: N rows.
        views: (K, N, size, size) uint8, views of these rows.

    Returns:
        (lines * 2 size, K * 2 size) uint8.
    """
    lines = []
    for label in range(len(training.label_names)):
        for row in np.flatnonzero(training.labels == label)[:_ROWS]:
            lines.append(np.hstack([np.asarray(images[row]) for images in views]))
    sheet = np.vstack(lines)
    return sheet.repeat(_ENLARGEMENT, axis=0).repeat(_ENLARGEMENT, axis=1)


def _write(path: Path, image: Gray) -> None:
    if not cv2.imwrite(str(path), image):
        raise OutputError(f"cannot write {path}")
