"""`compare`: prunes a network by every criterion."""

from __future__ import annotations

import argparse
import logging
from dataclasses import replace

from edge.errors import ConfigError
from quantize.cli.pruning_plan import plan_from
from quantize.pruning.criteria import compare_criteria, plans_of
from quantize.release.candidates import check_spec
from train.recipes.named import classifier_named
from train.runs.inputs import checkpoints_for, load_for, trained

logger = logging.getLogger(__name__)


def run(arguments: argparse.Namespace) -> None:
    """Writes the table and the plot, and logs the path of the plot."""
    if arguments.seeds < 1:
        raise ConfigError(f"--seeds {arguments.seeds}: expected at least 1")
    recipe = classifier_named(arguments.recipe)
    data = load_for(recipe, arguments.data, arguments.runs / "cache")
    folder = arguments.out or arguments.runs / f"{recipe.name}-compared"
    start = trained(recipe.name, arguments.runs)
    check_spec(start.parent, recipe)
    sources = replace(checkpoints_for(recipe, arguments.runs), start=start)
    compare_criteria(recipe, plans_of(plan_from(arguments, recipe), arguments.seeds), data, folder, sources)
    logger.info("%s", folder / "criteria.png")
