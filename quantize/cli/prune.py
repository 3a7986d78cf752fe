"""`prune`: prunes a trained network in steps."""

from __future__ import annotations

import argparse
import logging
from dataclasses import replace

from quantize.cli.pruning_plan import plan_from
from quantize.release.candidates import pruned_run
from train.recipes.named import recipe_named
from train.runs.inputs import load_for

logger = logging.getLogger(__name__)


def run(arguments: argparse.Namespace) -> None:
    """Prunes the network, or resumes that, and logs the path of the report."""
    recipe = recipe_named(arguments.recipe)
    plan = replace(plan_from(arguments, recipe), criterion=arguments.criterion, seed=arguments.seed)
    data = load_for(recipe, arguments.data, arguments.runs / "cache")
    logger.info("%s", pruned_run(recipe, plan, data, arguments.runs, arguments.out) / "report.html")
