"""`run`: converts the best trained runs to int8 files with contracts and model cards."""

from __future__ import annotations

import argparse
from pathlib import Path

from edge.errors import ConfigError, DataError
from edge.inference.contract import MODELS_FOLDER
from edge.labels import LABELS
from quantize.release.candidates import candidates, own_candidates
from quantize.release.float_network import file_name, own_file_name
from quantize.release.publish import publish, refuse_existing
from train.recipes.face_recipe import AnyRecipe
from train.recipes.recipe_file import is_recipe_file, read_recipe
from train.recipes.registry import find_recipe
from train.runs.inputs import load_for


def run(arguments: argparse.Namespace) -> None:
    """Publishes a network for each recipe's file and each task that was named, or for all tasks."""
    files = [name for name in arguments.tasks if is_recipe_file(name)]
    unknown = sorted(set(arguments.tasks) - set(LABELS) - set(files))
    if unknown:
        raise ConfigError(f"no task {unknown[0]!r}; expected one of {', '.join(LABELS)}, or a TOML file")
    if not arguments.models.is_dir():
        raise ConfigError(f"{arguments.models}: no such folder")
    own = [_own(file, arguments) for file in files]
    tasks = [task for task in LABELS if task in arguments.tasks or not arguments.tasks]
    if not arguments.overwrite:  # refused now, and not after hours of pruning
        for task in tasks:
            refuse_existing(file_name(task, find_recipe(task).spec.size), arguments.models)
    for recipe, runs in own:
        data = load_for(recipe, arguments.data, arguments.runs / "cache")
        publish(runs, data, arguments.models, arguments.overwrite, own_file_name(recipe))
    for task in tasks:
        data = load_for(find_recipe(task), arguments.data, arguments.runs / "cache")
        publish(candidates(task, data, arguments.runs), data, arguments.models, arguments.overwrite)


def _own(file: str, arguments: argparse.Namespace) -> tuple[AnyRecipe, list[Path]]:
    """Returns the recipe in a file, and its finished runs.

    Raises:
        ConfigError: the file holds no recipe, or the network may not be put into the folder.
        DataError: no run is finished.
    """
    recipe = read_recipe(Path(file))
    if arguments.models.resolve() == MODELS_FOLDER.resolve():
        raise ConfigError(
            f"{arguments.models} holds what ships, one network for each task; "
            f"name a folder of your own for {file} with --models"
        )
    if not arguments.overwrite:
        refuse_existing(own_file_name(recipe), arguments.models)
    runs = own_candidates(recipe, arguments.runs)
    if not runs:
        raise DataError(
            f"no run of {recipe.name} in {arguments.runs} is finished; "
            f"`python -m train fit {file}` trains or resumes it"
        )
    return recipe, runs
