"""`fit`: trains recipes, or resumes runs that were interrupted."""

from __future__ import annotations

import argparse
import logging
import os
import shlex
import sys
from dataclasses import replace
from pathlib import Path, PurePath

from edge.errors import ConfigError
from train.distributed.strategy import Cluster, distributed
from train.models.spec import ReferenceSpec
from train.progress import DISPLAY, tracked
from train.recipes.face_recipe import AnyRecipe
from train.recipes.named import recipes_named
from train.recipes.recipe import Recipe
from train.reports.evaluate_any import evaluate_any
from train.reports.stopped import report_stopped
from train.runs.inputs import checkpoints_for, load_for, prerequisites
from train.runs.lookup import run_folder
from train.runs.outlook import Outlook, work_of
from train.runs.plan import Stage, check_complete, finished_epochs, plan, plan_lines
from train.training.fit import fit
from train.training.tensorboard import tensorboard

logger = logging.getLogger(__name__)


def run(arguments: argparse.Namespace) -> None:
    """Trains the recipes in turn; each is evaluated when it is finished.

    Raises:
        KeyboardInterrupt: the training was stopped; its text says how to go on.
    """
    recipes = _recipes(arguments)
    with distributed(arguments.strategy) as cluster:
        stages = _announce(plan(recipes, arguments.data, arguments.runs))
        current = stages[0]
        outlook = _outlook(stages)
        try:
            with tensorboard(arguments.tensorboard if cluster.is_chief else None), DISPLAY.outlook(outlook):
                for number, stage in enumerate(tracked(stages, "", "stages")):
                    current = stage
                    outlook.begin(number)
                    cluster.barrier()  # until the chief has written what this recipe builds on
                    _train(stage, arguments, cluster)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(_how_to_go_on(current, arguments.argv)) from None


def _announce(stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
    """Logs the plan, and returns it.

    Raises:
        DataError: something is missing that the plan needs.
    """
    epochs = sum(stage.recipe.epochs - stage.done for stage in stages if not stage.finished)
    logger.info("the plan: %s, %s to train", _counted(len(stages), "stage"), _counted(epochs, "epoch"))
    for line in plan_lines(stages):
        logger.info("%s", line)
    check_complete(stages)
    return stages


def _counted(number: int, unit: str) -> str:
    return f"{number} {unit}{'' if number == 1 else 's'}"


def _recipes(arguments: argparse.Namespace) -> dict[Path, AnyRecipe]:
    """Returns {folder of the run: recipe} as the command line changes the recipes."""
    named = arguments.recipes or ["shipped"]
    originals = [recipe for name in named for recipe in recipes_named(name)]
    if len(originals) > 1 and (arguments.out or arguments.start):
        option = "--out names one run's folder" if arguments.out else "--start names one run's network"
        raise ConfigError(f"{option}: name one recipe with it")
    if arguments.start == "":
        raise ConfigError("--start: expected the name of a run, not nothing")
    if arguments.start:
        path = PurePath(arguments.start)
        if path.is_absolute() or ".." in path.parts:
            raise ConfigError(f"--start {path}: expected the name of a run in {arguments.runs}")
        arguments.start = path.as_posix()  # without a slash at its end, which would make it another start
    needed = {name for recipe in originals for name in prerequisites(recipe)}
    recipes: dict[Path, AnyRecipe] = {}
    for original in originals:
        recipe = original
        if arguments.epochs is not None:
            recipe = replace(recipe, epochs=arguments.epochs)
        if arguments.seed is not None and recipe.name not in needed:
            recipe = replace(recipe, seed=arguments.seed)
        if arguments.start:
            recipe = replace(recipe, start=arguments.start)
        own_weights = arguments.random_init or arguments.start
        if own_weights and isinstance(recipe, Recipe) and isinstance(recipe.spec, ReferenceSpec):
            recipe = replace(recipe, spec=replace(recipe.spec, pretrained=False))
        folder = arguments.out or run_folder(recipe, arguments.runs, original.seed)
        if recipes.setdefault(folder, recipe) != recipe:
            raise ConfigError(f"two recipes of this list have the name {recipe.name!r}")
    return recipes


def _outlook(stages: tuple[Stage, ...]) -> Outlook:
    # The time of a single stage follows from its own epochs.
    work = [work_of(stage.recipe) if len(stages) > 1 else 1.0 for stage in stages]
    left = [
        0.0 if stage.finished else each * max(0.0, 1 - stage.done / stage.recipe.epochs)
        for stage, each in zip(stages, work, strict=True)
    ]
    return Outlook(work, left)


def _train(stage: Stage, arguments: argparse.Namespace, cluster: Cluster) -> None:
    checkpoints = checkpoints_for(stage.recipe, arguments.runs)
    data = load_for(stage.recipe, arguments.data, arguments.runs / "cache")
    fit(stage.recipe, data, stage.folder, checkpoints, cluster)
    if cluster.is_chief:
        evaluate_any(data, stage.folder, "val")
        evaluate_any(data, stage.folder, "train")


def _how_to_go_on(stage: Stage, argv: list[str]) -> str:
    """Writes the report of what there is, and returns the end of the line that says that training stopped."""
    folder, epochs = stage.folder, stage.recipe.epochs
    python = (
        os.path.relpath(sys.executable) if sys.executable.startswith(f"{Path.cwd()}{os.sep}") else "python"
    )
    command = f"`{shlex.join([python, '-m', 'train', *argv])}` goes on"
    if (folder / "final.keras").exists():
        return f"{folder.name} is trained; {command} with its evaluation"
    done = finished_epochs(folder)
    page = report_stopped(folder) if done else None
    report = f" (so far: {page})" if page else ""
    return f"{command} with epoch {done + 1} of {epochs} of {folder.name}{report}"
