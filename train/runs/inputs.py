"""What a run needs before it is trained: its dataset, and the checkpoints that it builds on."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, overload

import numpy as np

from edge.errors import DataError
from edge.labels import FACE_TASKS, Task
from train.crops.sources import FaceData
from train.data import Dataset, find_named, load_named
from train.data.face_boxes import with_boxes
from train.data.ferplus import with_votes
from train.recipes.face_recipe import AnyRecipe, FaceRecipe
from train.recipes.recipe import Recipe
from train.runs.face_inputs import load_faces
from train.training.epochs import Checkpoints

logger = logging.getLogger(__name__)

# The set that each task's shipped network is trained on.
DATASETS: dict[Task, str] = {"emotion": "fer2013", "gender": "utkface"}
# Sets whose images are looser than the device's crop: the cascade's boxes have to be found first.
_LOOSE = ("utkface", "imdb-wiki")
# Sets whose images are the cascade's boxes, larger than any network's crop.
_CUT = ("lfw",)


def load_located(dataset: str, folder: str, cache: Path) -> Dataset:
    """Returns a dataset, with the cascade's boxes unless its images are the device's crops.

    Args:
        dataset: name of the set, see `train.data.load_named`.
        folder: folder of the datasets.
        cache: folder for the boxes, which take minutes to find.

    Raises:
        DataError: the set is missing or damaged.
    """
    logger.info("reading %s in %s", dataset, folder)
    data = load_named(dataset, folder)
    if dataset in _CUT:
        height, width = data.images.shape[1:]
        return replace(data, boxes=np.full((len(data), 4), (0, 0, width, height), np.int32))
    return with_boxes(data, cache) if dataset in _LOOSE else data


@overload
def load_for(recipe: Recipe, folder: str, cache: Path) -> Dataset: ...


@overload
def load_for(recipe: FaceRecipe, folder: str, cache: Path) -> FaceData: ...


def load_for(recipe: AnyRecipe, folder: str, cache: Path) -> Dataset | FaceData:
    """Returns what a recipe is trained on.

    Args:
        recipe: for a `Recipe`, the dataset is loaded as by `load_located`, with FER+'s votes if the recipe
            uses them; for a `FaceRecipe`, scenes, portraits and counter-examples.
        folder: folder of the datasets.
        cache: folder for boxes and decoded images.

    Raises:
        DataError: a dataset is missing or damaged.
    """
    if isinstance(recipe, FaceRecipe):
        return load_faces(recipe, folder, cache)
    data = load_located(recipe.dataset, folder, cache)
    return with_votes(data, find_named(recipe.dataset, folder)) if recipe.votes else data


def load_for_run(settings: Mapping[str, Any], folder: str, cache: Path) -> Dataset | FaceData:
    """Returns the data that a run was trained on, without votes.

    Args:
        settings: content of the run's `run.json`.
        folder: folder of the datasets.
        cache: folder for boxes and decoded images.
    """
    recipe = settings["recipe"]
    if recipe["task"] in FACE_TASKS:
        return load_faces(FaceRecipe.from_dict(recipe), folder, cache)
    return load_located(recipe["dataset"], folder, cache)


def prerequisites(recipe: AnyRecipe) -> tuple[str, ...]:
    """Returns the names of the recipes whose networks a recipe's training needs."""
    return tuple(name for name in (recipe.start, *recipe.teachers) if name)


def trained(name: str, runs: Path) -> Path:
    """Returns the best checkpoint of a recipe's finished run.

    An unfinished run is refused: its best checkpoint may still change.

    Raises:
        DataError: there is no such run, or it is not finished.
    """
    run = runs / name
    if not all((run / file).exists() for file in ("best.keras", "final.keras")):
        state = "is not finished" if (run / "best.keras").exists() else "does not exist"
        raise DataError(
            f"{name} is needed, and its run in {run} {state}: train {name} first, or restore the shipped one "
            f"with `python -m train restore {name}`"
        )
    return run / "best.keras"


def checkpoints_for(recipe: AnyRecipe, runs: Path) -> Checkpoints:
    """Returns the checkpoints that a recipe builds on, and the cache of all runs.

    Raises:
        DataError: one of them is not finished.
    """
    start = trained(recipe.start, runs) if recipe.start else None
    return Checkpoints(start, {name: trained(name, runs) for name in recipe.teachers}, runs / "cache")
