"""`recipes`: lists all recipes and groups, or writes one into a file."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from edge.errors import ConfigError
from train.recipes.recipe_file import is_recipe_file
from train.recipes.recipe_text import recipe_toml
from train.recipes.registry import GROUPS, RECIPES, find_recipe


def run(arguments: argparse.Namespace) -> None:
    """Prints a line for each recipe, then one for each group; or writes the file that was asked for."""
    if arguments.write:
        _write(*arguments.write)
        return
    for name, recipe in RECIPES.items():
        print(f"{name:26} {recipe.task:8} {recipe.dataset:10} {recipe.epochs:4} epochs")
    for name, members in GROUPS.items():
        print(f"{name}: {', '.join(members)}")


def _write(name: str, file: str) -> None:
    recipe, path = find_recipe(name), Path(file)
    if not is_recipe_file(file):
        raise ConfigError(f"{file}: expected a file name that ends with .toml")
    own = path.stem if path.stem not in (*RECIPES, *GROUPS) else f"my-{path.stem}"
    try:
        with path.open("x", encoding="utf-8") as text:
            text.write(recipe_toml(recipe, own))
    except FileExistsError as error:
        raise ConfigError(f"{path}: exists already; name another file") from error
    print(f"{path}: written; train it with `python -m train fit {path}`", file=sys.stderr)
