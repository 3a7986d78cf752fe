"""`collect`: makes runs of networks that were trained on an accelerator."""

from __future__ import annotations

import argparse

from train.recipes.registry import find_classifier
from train.reports.evaluate_any import evaluate_any
from train.runs.collect import collect
from train.runs.inputs import load_for
from train.runs.lookup import folder_of


def run(arguments: argparse.Namespace) -> None:
    """Makes one run, and evaluates it."""
    recipe = find_classifier(arguments.recipe)
    data = load_for(recipe, arguments.data, arguments.runs / "cache")
    folder = folder_of(recipe, arguments.runs)
    collect(arguments.file, arguments.network or arguments.file.stem, recipe, data, folder)
    for split in ("val", "train"):
        evaluate_any(data, folder, split)
