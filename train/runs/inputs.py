"""A run as a whole: its data, and the report that stands beside its checkpoints."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras

from edge.errors import DataError
from edge.inference.preprocess import Framing
from edge.labels import Task
from train.augment import CropSpec
from train.data import Dataset, find_named, load_named
from train.data.face_boxes import with_boxes
from train.data.ferplus import with_votes
from train.recipes.recipe import Recipe
from train.recipes.registry import GROUPS, RECIPES, find_recipe, find_recipes
from train.training.epochs import Checkpoints

logger = logging.getLogger(__name__)

# What each task's shipped network is trained on.
DATASETS: dict[Task, str] = {"emotion": "fer2013", "gender": "utkface"}
# Their pictures are looser than the device's crop: the cascade's boxes have to be found first.
_LOOSE = ("utkface", "imdb-wiki")


def load_located(dataset: str, folder: str, cache: Path) -> Dataset:
    """A dataset, with the cascade's boxes where its pictures are looser than the device's crop.

    Args:
        dataset: its name, see `train.data.load_named`.
        folder: where the datasets lie.
        cache: folder for the boxes, which take minutes to find.

    Raises:
        DataError: nothing is there, or it is damaged.
    """
    logger.info("reading %s in %s", dataset, folder)
    data = load_named(dataset, folder)
    return with_boxes(data, cache) if dataset in _LOOSE else data


def load_for(recipe: Recipe, folder: str, cache: Path) -> Dataset:
    """A recipe's dataset: `load_located`, with FER+'s votes where the recipe trains towards them."""
    data = load_located(recipe.dataset, folder, cache)
    return with_votes(data, find_named(recipe.dataset, folder)) if recipe.votes else data


def folder_of(recipe: Recipe, runs: Path) -> Path:
    """Where a recipe's run lies: under its name, with the seed where that is not the recipe's own."""
    own = find_recipes(recipe.name)[0].seed
    return runs / (recipe.name if recipe.seed == own else f"{recipe.name}-seed{recipe.seed}")


def existing_runs(recipe: Recipe, runs: Path) -> list[Path]:
    """The folders of a recipe's runs, of whatever seed; none where nothing was begun."""
    folders = (runs / recipe.name, *sorted(runs.glob(f"{recipe.name}-seed*")))
    return [path for path in folders if path.is_dir()]


def runs_of(recipe: Recipe, runs: Path) -> list[Path]:
    """The folders of a recipe's runs, of whatever seed.

    Raises:
        DataError: there is none.
    """
    found = existing_runs(recipe, runs)
    if not found:
        raise DataError(f"no run of {recipe.name} in {runs}; train it with `make train RECIPE={recipe.name}`")
    return found


def finished(runs: Sequence[Path]) -> list[Path]:
    """Those of some runs whose last epoch is over, or all of them where there is no such run."""
    return [run for run in runs if (run / "final.keras").exists()] or list(runs)


def runs_to_show(name: str, runs: Path) -> list[Path]:
    """The folders that a name means: a recipe's own run, those of a group, or a pruned network's run.

    Raises:
        ConfigError: it is none of these.
    """
    if name not in (*RECIPES, *GROUPS) and (runs / name / "run.json").exists():
        return [runs / name]
    return [folder_of(recipe, runs) for recipe in find_recipes(name)]


def runs_named(name: str, runs: Path) -> list[Path]:
    """The runs that a name means: a recipe's, of whatever seed, or that of one pruned network.

    Of a recipe's those that are finished, if there are any.

    Raises:
        ConfigError: it is neither.
        DataError: the recipe has no run.
    """
    if name not in RECIPES and any((runs / name / file).exists() for file in ("run.json", "plan.json")):
        return [runs / name]
    return finished(runs_of(find_recipe(name), runs))


def prerequisites(recipe: Recipe) -> tuple[str, ...]:
    """The recipes whose networks this one's training needs."""
    return tuple(name for name in (recipe.start, *recipe.teachers) if name)


def check_prerequisites(recipes: Iterable[Recipe], runs: Path) -> None:
    """Looks, before the first of some recipes is trained, whether all that they build on will be there.

    Raises:
        DataError: something is neither trained to its end nor among the recipes before.
    """
    coming: set[str] = set()
    for recipe in recipes:
        for name in prerequisites(recipe):
            if name not in coming:
                trained(name, runs)
        coming.add(recipe.name)


def trained(name: str, runs: Path) -> Path:
    """The best checkpoint of a recipe's own run. One that may still become better is not built on.

    Raises:
        DataError: the run is not there, or not at its end.
    """
    run = runs / name
    if not all((run / file).exists() for file in ("best.keras", "final.keras")):
        state = "is not at its end" if (run / "best.keras").exists() else "is not there"
        raise DataError(
            f"{name} is needed, and its run in {run} {state}: train {name} first, or take the one "
            f"that is shipped with `python -m train restore {name}`"
        )
    return run / "best.keras"


def sources_of(recipe: Recipe, runs: Path) -> Checkpoints:
    """The checkpoints that a recipe builds on, and the cache of all runs.

    Raises:
        DataError: one of them is not trained to its end.
    """
    start = trained(recipe.start, runs) if recipe.start else None
    return Checkpoints(start, {name: trained(name, runs) for name in recipe.teachers}, runs / "cache")


def load_checkpoint(folder: Path, name: str = "best.keras") -> keras.Model:
    """A run's checkpoint.

    Raises:
        DataError: there is none; the message says how to get one.
    """
    path = folder / name
    if not path.exists():
        raise DataError(f"no trained network in {folder} ({name}); train one with `make train`")
    try:
        return keras.models.load_model(path)
    except (ValueError, OSError, KeyError) as error:
        raise DataError(f"{path}: not a checkpoint of this package ({error}); train anew") from error


def read_settings(folder: Path) -> dict[str, Any]:
    """What a run's `run.json` holds.

    Raises:
        DataError: it is missing or damaged; the message says how to get one.
    """
    try:
        settings: dict[str, Any] = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"no trained run in {folder} (run.json); train one with `make train`") from error
    except ValueError as error:
        raise DataError(f"{folder / 'run.json'}: damaged ({error}); train anew") from error
    return settings


def crop_spec_of(settings: Mapping[str, Any]) -> CropSpec:
    """What a run's network is shown of a picture."""
    recipe = settings["recipe"]
    return CropSpec(recipe["spec"]["size"], Framing(**recipe["framing"]))
