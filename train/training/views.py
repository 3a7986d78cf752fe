"""The expanded training set: every training image and changed copies of it, computed once."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from edge.types import Gray
from train.augment import epoch_images, plain_images
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
        OutputError: the views cannot be written.
    """
    key = {
        "data": training.fingerprint(),
        "boxes": None if training.boxes is None else hashlib.sha256(training.boxes.tobytes()).hexdigest(),
        **{name: recipe.to_dict()[name] for name in ("framing", "augmentation", "views")},
        "size": recipe.spec.size,
        "evened": "contrast, noise, sharpness",  # by `normalize_face`
    }
    shape = (recipe.views, len(training), recipe.spec.size, recipe.spec.size)

    def view(index: int) -> Gray:
        if recipe.augmentation is None or index == 0:
            return plain_images(training, recipe.crop)
        return epoch_images(training, recipe.crop, recipe.augmentation, index)

    return cached_array(cache_path(cache, "views", key), shape, np.uint8, view, "expanding the set")
