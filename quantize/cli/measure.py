"""`measure`: measures the int8 accuracy of runs, for the table of `train table`."""

from __future__ import annotations

import argparse
import logging

from quantize.release.int8_accuracy import measure_run
from train.recipes.recipe import Recipe
from train.recipes.registry import GROUPS, find_recipe
from train.runs.inputs import load_located
from train.runs.lookup import crop_spec_of, read_settings, runs_named

logger = logging.getLogger(__name__)


def run(arguments: argparse.Namespace) -> None:
    """Writes the result into the folder of each run, and logs it."""
    # Of a group, those that read a face: the others have no accuracy.
    groups = {
        group: [name for name in names if isinstance(find_recipe(name), Recipe)]
        for group, names in GROUPS.items()
    }
    names = [member for name in arguments.names for member in groups.get(name, (name,))]
    for folder in [folder for name in names for folder in runs_named(name, arguments.runs)]:
        settings = read_settings(folder)
        crop_spec_of(settings)  # refuses a network that finds faces
        data = load_located(settings["recipe"]["dataset"], arguments.data, arguments.runs / "cache")
        logger.info("%s: %s", folder, measure_run(folder, data))
