"""What the training on an accelerator needs of a task's datasets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edge.inference.preprocess import Framing
from edge.labels import Task
from train.augment import CropSpec, square_crops
from train.data import find_named
from train.data.ferplus import with_votes
from train.data.portraits import FRAMINGS
from train.evaluation.groups import balanced_weights
from train.runs.inputs import load_located

# The datasets of each task's pack.
PACKED: Mapping[str, tuple[str, ...]] = {"emotion": ("FER-2013",), "gender": ("UTKFace", "LFW")}
_SIZE = 48
# Of a portrait, more than the crop: it can be turned and moved without repeating edge pixels.
_WIDE = 56


def arrays_for(task: Task, folder: str, cache: Path) -> Mapping[str, Any]:
    """Returns the arrays of a task's pack.

    Args:
        task: "emotion" (FER-2013 with FER+'s votes) or "gender" (UTKFace and LFW).
        folder: folder of the datasets.
        cache: folder for the boxes, which take minutes to find.

    Returns:
        "task"; "images" (N, S, S) uint8, whose middle 48x48 pixels are the network's crop without any change
        of contrast; "labels" (N,) uint8; "classes"; for validation "val_images" (M, 48, 48) and "val_labels".
        Of emotion also "votes" (N, 7) float16, of gender "weights" (N,) float32, with which rows are shown.

    Raises:
        DataError: a dataset is missing or damaged.
    """
    return {"task": np.array(task), **(_emotion if task == "emotion" else _gender)(folder, cache)}


def _emotion(folder: str, cache: Path) -> dict[str, Any]:
    data = with_votes(load_located("fer2013", folder, cache), find_named("fer2013", folder))
    training, validation = data.part("train"), data.part("val")
    return {
        "images": training.images,
        "labels": training.labels.astype(np.uint8),
        "votes": np.asarray(training.soft_labels, np.float16),
        "val_images": validation.images,
        "val_labels": validation.labels.astype(np.uint8),
        "classes": np.array(len(data.label_names)),
    }


def _gender(folder: str, cache: Path) -> dict[str, Any]:
    sets = [load_located(name, folder, cache) for name in ("utkface", "lfw")]
    crop = CropSpec(_SIZE, FRAMINGS["utkface"])
    wide = CropSpec(_WIDE, Framing(crop.framing.margin * _WIDE / _SIZE, crop.framing.shift_y))
    training, validation = ([data.part(split) for data in sets] for split in ("train", "val"))
    return {
        "images": np.concatenate([square_crops(rows, wide) for rows in training]),
        "labels": np.concatenate([rows.labels for rows in training]).astype(np.uint8),
        "weights": np.concatenate([balanced_weights(rows, 0.25) for rows in training]),
        "val_images": np.concatenate([square_crops(rows, crop) for rows in validation]),
        "val_labels": np.concatenate([rows.labels for rows in validation]).astype(np.uint8),
        "classes": np.array(len(sets[0].label_names)),
    }
