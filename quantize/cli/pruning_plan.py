"""The pruning plan that the arguments of `prune` and `compare` describe."""

from __future__ import annotations

import argparse
from dataclasses import replace

from quantize.pruning.plan import PruningPlan
from quantize.release.candidates import LAST_STAGES, NARROWING, PLANS, parent_of
from train.recipes.face_recipe import AnyRecipe


def plan_from(arguments: argparse.Namespace, recipe: AnyRecipe) -> PruningPlan:
    """Returns the plan of the arguments.

    Whatever was not given is as in the plan of the shipped network, if the recipe is that of its parent or of
    the last stage that is narrowed, or as in `PruningPlan`.
    """
    base = PruningPlan(target=9_950)
    if recipe.name == parent_of(recipe.task):
        base = PLANS[recipe.task]
    elif recipe.name == LAST_STAGES.get(recipe.task):
        base = NARROWING.get(recipe.task, base)
    names = ("target", "share", "tuning", "rate", "epochs", "multiple")
    given = {name: getattr(arguments, name) for name in names}
    return replace(base, **{name: value for name, value in given.items() if value is not None})
