"""`fit`: trains recipes, or resumes runs that were interrupted."""

from __future__ import annotations

import argparse
from dataclasses import replace

from edge.errors import ConfigError
from train.distributed.strategy import Cluster, distributed
from train.models.spec import ReferenceSpec
from train.recipes.face_recipe import AnyRecipe
from train.recipes.recipe import Recipe
from train.recipes.registry import find_recipes
from train.reports.evaluate_any import evaluate_any
from train.runs.inputs import check_prerequisites, checkpoints_for, load_for, prerequisites
from train.runs.lookup import folder_of
from train.training.fit import fit


def run(arguments: argparse.Namespace) -> None:
    """Trains the recipes in turn; each is evaluated when it is finished."""
    recipes = [recipe for name in arguments.recipes or ["shipped"] for recipe in find_recipes(name)]
    if arguments.out and len(recipes) > 1:
        raise ConfigError("--out names one run's folder: name one recipe with it")
    check_prerequisites(recipes, arguments.runs)
    if arguments.epochs is not None:
        recipes = [replace(recipe, epochs=arguments.epochs) for recipe in recipes]
    if arguments.seed is not None:
        needed = {name for recipe in recipes for name in prerequisites(recipe)}
        recipes = [
            recipe if recipe.name in needed else replace(recipe, seed=arguments.seed) for recipe in recipes
        ]
    with distributed(arguments.strategy) as cluster:
        for recipe in recipes:
            cluster.barrier()  # until the chief has written what this recipe builds on
            _train(recipe, arguments, cluster)


def _train(recipe: AnyRecipe, arguments: argparse.Namespace, cluster: Cluster) -> None:
    if arguments.random_init and isinstance(recipe, Recipe) and isinstance(recipe.spec, ReferenceSpec):
        recipe = replace(recipe, spec=replace(recipe.spec, pretrained=False))
    folder = arguments.out or folder_of(recipe, arguments.runs)
    checkpoints = checkpoints_for(recipe, arguments.runs)
    data = load_for(recipe, arguments.data, arguments.runs / "cache")
    fit(recipe, data, folder, checkpoints, cluster)
    if cluster.is_chief:
        evaluate_any(data, folder, "val")
        evaluate_any(data, folder, "train")
