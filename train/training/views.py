"""The expanded set: training pictures and changed copies, made once, and what teachers say of each.

A teacher's answer to the very copy that its pupil sees is worth more than one to the original (Beyer et al.
2021, arXiv:2106.05237), but a teacher costs fifty times its pupil: it answers once for each copy.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from edge.errors import DataError
from edge.types import Gray
from train.augment import epoch_images, plain_images
from train.data import Dataset
from train.models.weights_hash import weights_digest
from train.recipes.recipe import Recipe
from train.training.array_cache import cached_array

_BATCH = 256


def expand(training: Dataset, recipe: Recipe, cache: Path) -> Gray:
    """Every training picture, and changed copies of it.

    They are the same for every seed of a recipe, so that its teachers answer once.

    Args:
        training: N rows.
        recipe: number of views, and how pictures are changed.
        cache: folder in which they are kept.

    Returns:
        (views, N, size, size) uint8, the first of them unchanged; read from the file as it is used.
    """
    key = {
        "data": training.fingerprint(),
        "boxes": None if training.boxes is None else hashlib.sha256(training.boxes.tobytes()).hexdigest(),
        **{name: recipe.to_dict()[name] for name in ("framing", "augmentation", "views")},
        "size": recipe.spec.size,
    }
    shape = (recipe.views, len(training), recipe.spec.size, recipe.spec.size)

    def view(number: int) -> Gray:
        if recipe.augmentation is None or number == 0:
            return plain_images(training, recipe.crop)
        return epoch_images(training, recipe.crop, recipe.augmentation, number)

    return cached_array(_path(cache, "views", key), shape, np.uint8, view, "expanding the set")


def teacher_scores(
    views: Gray, recipe: Recipe, teachers: Mapping[str, Path], cache: Path
) -> npt.NDArray[np.float32]:
    """What the recipe's teachers say of each copy: the mean of their scores for it and its mirror image.

    Args:
        views: (K, N, size, size) uint8.
        recipe: names the teachers.
        teachers: their checkpoints.
        cache: folder in which the answers are kept, a file per teacher.

    Returns:
        (K, N, C) float32, each row summing to 1.

    Raises:
        DataError: a checkpoint is missing.
    """
    total = np.zeros((*views.shape[:2], recipe.spec.classes), dtype=np.float32)
    for name in recipe.teachers:
        if name not in teachers or not teachers[name].exists():
            raise DataError(f"{recipe.name} is taught by {name}, which is not trained: train {name} first")
        total += _answers_of(views, teachers[name], recipe.spec.classes, cache)
    return total / len(recipe.teachers)


def _answers_of(views: Gray, teacher: Path, classes: int, cache: Path) -> npt.NDArray[np.float32]:
    key = {
        "teacher": weights_digest(teacher),
        "shape": views.shape,
        "views": hashlib.sha256(np.ascontiguousarray(views).data).hexdigest(),
    }
    model: keras.Model = None

    def ask(number: int) -> npt.NDArray[np.float32]:
        nonlocal model
        model = model or keras.models.load_model(teacher, compile=False)
        found = []
        starts = range(0, views.shape[1], _BATCH)
        for start in tqdm(starts, desc=f"view {number + 1}", unit="batch", mininterval=2.0, leave=False):
            images = views[number, start : start + _BATCH, ..., np.newaxis]
            both = np.concatenate([images, images[:, :, ::-1]])
            scores = keras.ops.softmax(model.predict_on_batch(both))
            halves = keras.ops.convert_to_numpy(scores).reshape(2, len(images), classes)
            found.append(halves.mean(axis=0))
        return np.concatenate(found)

    path = _path(cache, "answers", key)
    return cached_array(path, (*views.shape[:2], classes), np.float32, ask, f"asking {teacher.parent.name}")


def _path(cache: Path, kind: str, key: Mapping[str, object]) -> Path:
    """Where the array that such a key makes is kept."""
    return cache / f"{kind}-{hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]}.npy"
