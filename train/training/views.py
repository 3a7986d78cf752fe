"""The expanded training set: every training image and changed copies of it, also spoiled, computed once."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from pathlib import Path

import numpy as np

from edge.types import Gray
from train.augment import check_size, epoch_crops, even, spoil
from train.data import Dataset
from train.recipes.recipe import Recipe
from train.training.array_cache import cache_path, cached_array


def expand(training: Dataset, recipe: Recipe, cache: Path) -> Gray:
    """Returns every training image and changed copies of it.

    The copies do not depend on the recipe's seed, so that its teachers have to score them only once.

    Args:
        training: N rows.
        recipe: number of views, and how images are changed.
        cache: folder in which the views are kept.

    Returns:
        (views, N, size, size) uint8; the first view holds the unchanged images. Read from the file as it is
        used.

    Raises:
        ConfigError: the images are faces of another size than the network's.
        OutputError: the views cannot be written.
    """
    check_size(training, recipe.crop)

    def view(index: int) -> Gray:
        return even(_crops(training, recipe, index))

    path = cache_path(cache, "views", _key(training, recipe))
    return cached_array(path, _shape(training, recipe), np.uint8, view, "expanding the set")


def spoiled_views(training: Dataset, recipe: Recipe, cache: Path) -> Gray:
    """Returns what a student sees of `expand`'s views: some are spoiled as by a camera.

    Args:
        training: N rows.
        recipe: must have `spoiling`.
        cache: folder in which the views are kept.

    Returns:
        (views, N, size, size) uint8, read from the file as it is used.

    Raises:
        OutputError: the views cannot be written.
    """
    settings = recipe.spoiling
    assert settings is not None

    def view(index: int) -> Gray:
        return even(spoil(_crops(training, recipe, index), settings, index))

    key = {**_key(training, recipe), "spoiling": asdict(settings)}
    path = cache_path(cache, "spoiled", key)
    return cached_array(path, _shape(training, recipe), np.uint8, view, "spoiling the views")


def _crops(training: Dataset, recipe: Recipe, index: int) -> Gray:
    return epoch_crops(training, recipe.crop, recipe.augmentation if index else None, index)


def _shape(training: Dataset, recipe: Recipe) -> tuple[int, ...]:
    return (recipe.views, len(training), recipe.spec.size, recipe.spec.size)


def _key(training: Dataset, recipe: Recipe) -> dict[str, object]:
    return {
        "data": training.fingerprint(),
        "boxes": None if training.boxes is None else hashlib.sha256(training.boxes.tobytes()).hexdigest(),
        **{name: recipe.to_dict()[name] for name in ("framing", "augmentation", "views")},
        "size": recipe.spec.size,
        "evened": "contrast, noise, sharpness",  # by `normalize_face`
    }
