"""`collect`: makes runs of networks that were trained on an accelerator."""

from __future__ import annotations

import argparse

from train.recipes.named import classifier_named
from train.reports.evaluate_any import evaluate_any
from train.runs.collect import collect
from train.runs.inputs import load_for


def run(arguments: argparse.Namespace) -> None:
    """Makes one run, and evaluates it."""
    recipe = classifier_named(arguments.recipe)
    data = load_for(recipe, arguments.data, arguments.runs / "cache")
    folder = arguments.runs / recipe.name
    collect(arguments.file, arguments.network or arguments.file.stem, recipe, data, folder)
    for split in ("val", "train"):
        evaluate_any(data, folder, split)
