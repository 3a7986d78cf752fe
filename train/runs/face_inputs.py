"""Loads what the networks that find faces are trained on."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

from edge.errors import ConfigError
from train.crops.sources import CropSources, FaceData
from train.data import find_named, load_named
from train.data.dataset import Dataset, Split
from train.data.hard_negatives import find_hard_negatives
from train.data.locate import find_scenes
from train.data.portraits import FRAMINGS, portraits_of
from train.data.scene_images import decode_scenes
from train.data.scenes import SceneSet, load_scenes
from train.evaluation.groups import group_masks
from train.recipes.face_recipe import FaceRecipe

logger = logging.getLogger(__name__)


def load_faces(recipe: FaceRecipe, folder: str, cache: Path) -> FaceData:
    """Loads scenes, and the portraits and counter-examples that a recipe uses.

    Args:
        recipe: names the datasets.
        folder: folder of the datasets.
        cache: folder for decoded images, and for the counter-examples, which take a minute to find.

    Raises:
        ConfigError: the recipe names a dataset whose faces are not known to lie in one place.
        DataError: a dataset is missing or damaged, or a split lacks faces or images without any.
        OutputError: the cache cannot be written.
    """
    if unknown := [name for name in recipe.portraits if name not in FRAMINGS]:
        raise ConfigError(f"portraits of {unknown[0]!r}; expected {', '.join(FRAMINGS)}")
    logger.info("reading scenes in %s", folder)
    scenes = load_scenes(find_scenes(folder))
    for name in recipe.portraits:
        find_named(name, folder)  # before the scenes are decoded
    portraits = {name: load_named(name, folder) for name in recipe.portraits}
    train, val = (_sources(scenes, split, portraits, recipe, cache) for split in ("train", "val"))
    return FaceData("scenes", train, val)


def _sources(
    scenes: SceneSet, split: Split, portraits: dict[str, Dataset], recipe: FaceRecipe, cache: Path
) -> CropSources:
    images = decode_scenes(scenes.part(split), cache)
    faces = tuple(
        replace(
            portraits_of(data, split, FRAMINGS[name], cache),
            groups={f"{data.name} {group}": rows for group, rows in group_masks(data.part(split)).items()},
        )
        for name, data in portraits.items()
    )
    if not recipe.hard_negatives:
        return CropSources(images, portraits=faces)
    return CropSources(images, find_hard_negatives(images, cache), faces)
