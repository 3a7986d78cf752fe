"""Finds the folders of runs by name, and reads their settings and checkpoints."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

import train.training.face_losses
import train.training.optimizers  # noqa: F401 - these register what checkpoints name
from edge.errors import ConfigError, DataError
from edge.inference.preprocess import Framing
from train.augment import CropSpec
from train.recipes.face_recipe import AnyRecipe
from train.recipes.named import recipe_named
from train.recipes.recipe_file import is_recipe_file
from train.recipes.registry import GROUPS, RECIPES, find_recipe, find_recipes


def folder_of(recipe: AnyRecipe, runs: Path) -> Path:
    """Returns the folder of a recipe's run: its name, with the seed if that is not the recipe's own."""
    return run_folder(recipe, runs, find_recipe(recipe.name).seed)


def run_folder(recipe: AnyRecipe, runs: Path, own_seed: int) -> Path:
    """Returns the folder of the run of a recipe whose own seed may have been replaced by another."""
    return runs / (recipe.name if recipe.seed == own_seed else f"{recipe.name}-seed{recipe.seed}")


def existing_runs(recipe: AnyRecipe, runs: Path) -> list[Path]:
    """Returns the folders of a recipe's runs with any seed, finished or not."""
    seeds = re.compile(rf"{re.escape(recipe.name)}-seed\d+")
    others = sorted(path for path in runs.glob(f"{recipe.name}-seed*") if seeds.fullmatch(path.name))
    return [path for path in (runs / recipe.name, *others) if path.is_dir()]


def runs_to_show(name: str, runs: Path) -> list[Path]:
    """Returns the folders that a name stands for: of a recipe, of a group's recipes, or of any other run.

    A recipe may also be a TOML file.

    Raises:
        ConfigError: the name stands for none of these.
    """
    if is_recipe_file(name):
        return [runs / recipe_named(name).name]
    if name not in (*RECIPES, *GROUPS) and (runs / name / "run.json").exists():
        return [runs / name]
    return [folder_of(recipe, runs) for recipe in find_recipes(name)]


def runs_named(name: str, runs: Path) -> list[Path]:
    """Returns the runs that a name stands for: a recipe's with any seed, or one other run.

    A recipe may also be a TOML file. If some of the recipe's runs are finished, the others are left out.

    Raises:
        ConfigError: the name stands for neither.
        DataError: the recipe has no run.
    """
    is_recipe = name in RECIPES or is_recipe_file(name)
    if not is_recipe and any((runs / name / file).exists() for file in ("run.json", "plan.json")):
        return [runs / name]
    recipe = recipe_named(name)
    folders = existing_runs(recipe, runs)
    if not folders:
        raise DataError(f"no run of {recipe.name} in {runs}; train it with `make train RECIPE={name}`")
    return [folder for folder in folders if (folder / "final.keras").exists()] or folders


def load_checkpoint(folder: Path, name: str = "best.keras") -> keras.Model:
    """Returns the network in a run's checkpoint.

    Raises:
        DataError: there is no such checkpoint, or it is damaged; the message says how to get one.
    """
    path = folder / name
    if not path.exists():
        raise DataError(f"no trained network in {folder} ({name}); train one with `make train`")
    try:
        return keras.models.load_model(path)
    except (ValueError, TypeError, OSError, KeyError) as error:
        raise DataError(f"{path}: not a checkpoint of this package ({error}); train anew") from error


def read_settings(folder: Path) -> dict[str, Any]:
    """Returns the content of a run's `run.json`.

    Raises:
        DataError: the file is missing or damaged; the message says how to get one.
    """
    try:
        settings: dict[str, Any] = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"no trained run in {folder} (run.json); train one with `make train`") from error
    except ValueError as error:
        raise DataError(f"{folder / 'run.json'}: damaged ({error}); train anew") from error
    return settings


def crop_spec_of(settings: Mapping[str, Any]) -> CropSpec:
    """Returns how a run's network crops a face, from the content of its `run.json`.

    Raises:
        ConfigError: the network finds faces instead of reading one.
    """
    recipe = settings["recipe"]
    if "framing" not in recipe:
        raise ConfigError(f"{recipe['name']} finds faces; expected a network that reads a face")
    return CropSpec(recipe["spec"]["size"], Framing(**recipe["framing"]))
