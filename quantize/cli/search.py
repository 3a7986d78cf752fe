"""`search`: compares trained gates, random structures and pruning by importance at equal cost."""

from __future__ import annotations

import argparse
import logging
from dataclasses import replace

from quantize.search.comparison import compare_searches
from quantize.search.plan import SearchPlan
from train.recipes.named import classifier_named
from train.recipes.recipe import Recipe
from train.runs.inputs import checkpoints_for, load_for

logger = logging.getLogger(__name__)


def run(arguments: argparse.Namespace) -> None:
    """Runs the comparison, or resumes it, and logs the path of the table."""
    recipe = _recipe()
    names = ("seeds", "search_epochs", "epochs", "draws")
    plan = replace(SearchPlan(), **{name: getattr(arguments, name) for name in names})
    data = load_for(recipe, arguments.data, arguments.runs / "cache")
    folder = arguments.out or arguments.runs / "emotion-searches"
    compare_searches(recipe, plan, data, folder, checkpoints_for(recipe, arguments.runs))
    logger.info("%s", folder / "table.md")


def _recipe() -> Recipe:
    """Returns the emotion network's recipe with the teachers and the views of its last stage."""
    last = classifier_named("emotion-camera")
    return replace(classifier_named("emotion"), name="searched", teachers=last.teachers, views=last.views)
