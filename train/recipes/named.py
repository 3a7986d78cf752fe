"""Finds recipes by what a command line names: a recipe, a group of recipes, or a TOML file of one's own."""

from __future__ import annotations

from pathlib import Path

from edge.errors import ConfigError
from train.recipes.face_recipe import AnyRecipe
from train.recipes.recipe import Recipe
from train.recipes.recipe_file import is_recipe_file, read_recipe
from train.recipes.registry import find_recipe, find_recipes


def recipes_named(name: str) -> tuple[AnyRecipe, ...]:
    """Returns the recipe that a name or a file stands for, or those of a group.

    Raises:
        ConfigError: there is no such recipe or group, or the file holds no recipe.
    """
    return (read_recipe(Path(name)),) if is_recipe_file(name) else find_recipes(name)


def recipe_named(name: str) -> AnyRecipe:
    """Returns the recipe that a name or a file stands for.

    Raises:
        ConfigError: there is no such recipe, the name is a group's, or the file holds no recipe.
    """
    return read_recipe(Path(name)) if is_recipe_file(name) else find_recipe(name)


def classifier_named(name: str) -> Recipe:
    """Returns the recipe that a name or a file stands for, for what only networks that read a face can do.

    Raises:
        ConfigError: as `recipe_named`, or the network finds faces.
    """
    recipe = recipe_named(name)
    if not isinstance(recipe, Recipe):
        raise ConfigError(f"{name!r} finds faces; expected the recipe of a network that reads a face")
    return recipe
