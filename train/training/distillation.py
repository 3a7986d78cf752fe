"""Knowledge distillation (Hinton et al. 2015, arXiv:1503.02531): the teachers' scores for every view.

A teacher's scores for the very view that its student sees are better targets than its scores for the original
image (Beyer et al. 2021, arXiv:2106.05237). A teacher costs about fifty times its student, so each view is
scored once and the scores are kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt

from edge.errors import DataError
from edge.types import Gray
from train.models.weights_hash import weights_digest
from train.progress import tracked
from train.recipes.recipe import Recipe
from train.training.array_cache import cache_path, cached_array

_BATCH = 256


def teacher_scores(
    views: Gray, recipe: Recipe, teachers: Mapping[str, Path], cache: Path
) -> npt.NDArray[np.float32]:
    """Returns the mean scores of a recipe's teachers for each view and its mirror image.

    Args:
        views: (K, N, size, size) uint8.
        recipe: names the teachers.
        teachers: {recipe's name: checkpoint}.
        cache: folder in which the scores are kept, a file for each teacher.

    Returns:
        (K, N, C) float32, each row summing to 1.

    Raises:
        DataError: a checkpoint is missing.
        OutputError: the scores cannot be written.
    """
    total = np.zeros((*views.shape[:2], recipe.spec.classes), dtype=np.float32)
    for name in recipe.teachers:
        if name not in teachers or not teachers[name].exists():
            raise DataError(
                f"{recipe.name} is distilled from {name}, which is not trained: train {name} first"
            )
        total += _scores_of(teachers[name], views, recipe.spec.classes, cache)
    return np.asarray(total / len(recipe.teachers), np.float32)


def _scores_of(teacher: Path, views: Gray, classes: int, cache: Path) -> npt.NDArray[np.float32]:
    key = {
        "teacher": weights_digest(teacher),
        "shape": views.shape,
        "views": hashlib.sha256(np.ascontiguousarray(views).data).hexdigest(),
    }
    model: keras.Model = None

    def score(index: int) -> npt.NDArray[np.float32]:
        nonlocal model
        model = model or keras.models.load_model(teacher, compile=False)  # not where all scores are kept
        batches = []
        starts = range(0, views.shape[1], _BATCH)
        for start in tracked(starts, "", "batches"):
            images = views[index, start : start + _BATCH, ..., np.newaxis]
            both = np.concatenate([images, images[:, :, ::-1]])
            scores = keras.ops.softmax(model.predict_on_batch(both))
            batches.append(keras.ops.convert_to_numpy(scores).reshape(2, len(images), classes).mean(axis=0))
        return np.concatenate(batches)

    shape, description = (*views.shape[:2], classes), f"scoring by {teacher.parent.name}"
    return cached_array(cache_path(cache, "answers", key), shape, np.float32, score, description)
