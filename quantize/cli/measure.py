"""`measure`: measures the int8 accuracy of runs, for the table of `train table`."""

from __future__ import annotations

import argparse
import logging

from quantize.release.int8_accuracy import measure_run
from train.recipes.registry import GROUPS
from train.runs.inputs import load_located
from train.runs.lookup import read_settings, runs_named

logger = logging.getLogger(__name__)


def run(arguments: argparse.Namespace) -> None:
    """Writes the result into the folder of each run, and logs it."""
    names = [member for name in arguments.names for member in GROUPS.get(name, (name,))]
    for folder in [folder for name in names for folder in runs_named(name, arguments.runs)]:
        dataset = read_settings(folder)["recipe"]["dataset"]
        data = load_located(dataset, arguments.data, arguments.runs / "cache")
        logger.info("%s: %s", folder, measure_run(folder, data))
