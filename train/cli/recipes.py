"""`recipes`: lists all recipes and groups."""

from __future__ import annotations

import argparse

from train.recipes.registry import GROUPS, RECIPES


def run(_: argparse.Namespace) -> None:
    """Prints a line for each recipe, then one for each group."""
    for name, recipe in RECIPES.items():
        print(f"{name:26} {recipe.task:8} {recipe.dataset:10} {recipe.epochs:4} epochs")
    for name, members in GROUPS.items():
        print(f"{name}: {', '.join(members)}")
