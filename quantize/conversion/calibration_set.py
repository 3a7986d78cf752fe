"""The calibration set: images of the training split, the same number of each label.

For the networks that ship, it is a committed list of image ids; for any other, it is drawn when it is needed.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from edge.errors import DataError
from edge.labels import Task
from edge.types import Gray
from train.augment import CropSpec, plain_images
from train.data import Dataset

# The contracts of the shipped networks name this folder.
LISTS = Path(__file__).parents[1] / "calibration"
PER_LABEL: dict[Task, int] = {"emotion": 200, "gender": 200}
_SEED = 1
_BOTH_ENDS = (0, 255)


def draw(data: Dataset, per_label: int) -> tuple[str, ...]:
    """Draws ids of training images at random, the same number of each label.

    Raises:
        DataError: a label has fewer distinct images.
    """
    training = data.part("train")
    random = np.random.default_rng(_SEED)
    drawn: list[str] = []
    for label, name in enumerate(training.label_names):
        # An image that is in the dataset under two labels is drawn only once.
        ids = sorted({training.ids[row] for row in np.flatnonzero(training.labels == label)} - set(drawn))
        if len(ids) < per_label:
            raise DataError(
                f"{data.name}: {len(ids)} different training images of {name!r}, need {per_label}"
            )
        drawn += [ids[index] for index in sorted(random.choice(len(ids), per_label, replace=False))]
    return tuple(drawn)


def save_list(task: Task, data: Dataset, ids: tuple[str, ...], folder: Path | None = None) -> Path:
    """Writes a task's list into a folder, by default `LISTS`, and returns its path."""
    path = (folder or LISTS) / f"{task}.json"
    content = {"data": data.name, "split": "train", "seed": _SEED, "ids": list(ids)}
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return path


def draw_images(data: Dataset, crop: CropSpec, per_label: int) -> Gray:
    """Draws training images of each label, always the same, and adds both ends of the gray levels.

    Args:
        data: any dataset, boxes located.
        crop: size and framing of the images.
        per_label: largest number of images of a label.

    Returns:
        (N, size, size) uint8.

    Raises:
        DataError: there are no training images.
    """
    training = data.part("train")
    random = np.random.default_rng(_SEED)
    drawn = [
        random.choice(rows, min(per_label, len(rows)), replace=False)
        for label in range(len(data.label_names))
        if len(rows := np.flatnonzero(training.labels == label))
    ]
    if not drawn:
        raise DataError(f"{data.name}: no training images to calibrate with")
    images = plain_images(training.take(np.concatenate(drawn)), crop)
    images[0, 0, :2] = _BOTH_ENDS
    return images


def calibration_rows(task: Task, data: Dataset, folder: Path | None = None) -> Dataset:
    """Returns the rows of a task's list in a folder, by default `LISTS`.

    Raises:
        DataError: some of the images are not in the training split, so the list is of another dataset.
    """
    path = (folder or LISTS) / f"{task}.json"
    ids = json.loads(path.read_text(encoding="utf-8"))["ids"]
    training = data.part("train")
    row_of = {name: row for row, name in enumerate(training.ids)}
    missing = [name for name in ids if name not in row_of]
    if missing:
        raise DataError(
            f"{data.name}: {len(missing)} of {len(ids)} calibration images are not in its training split "
            f"(first: {missing[0]}); the list {path.name} belongs to the dataset's original form"
        )
    return training.take(np.array([row_of[name] for name in ids], dtype=np.int64))
