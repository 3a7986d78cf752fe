"""The plan that arguments describe."""

from dataclasses import replace

import pytest

pytestmark = pytest.mark.train

from quantize.cli.parser import parser  # noqa: E402
from quantize.cli.pruning_plan import plan_from  # noqa: E402
from quantize.pruning.plan import PruningPlan  # noqa: E402
from quantize.release.candidates import NARROWING, PLANS  # noqa: E402
from train.recipes.named import recipe_named  # noqa: E402


def plan(*arguments):
    options = parser().parse_args(list(arguments))
    return plan_from(options, recipe_named(options.recipe))


def test_the_parent_of_a_shipped_network_is_pruned_as_that_was():
    assert plan("prune", "gender-parent") == PLANS["gender"]
    assert plan("prune", "gender-parent", "--target", "5000") == replace(PLANS["gender"], target=5000)
    assert plan("prune", "emotion-camera") == NARROWING["emotion"]
    assert plan("prune", "gender-camera", "--multiple", "8") == PruningPlan(9_950, multiple=8)


def test_another_network_is_pruned_to_what_models_may_hold():
    assert plan("prune", "gender") == PruningPlan(target=9_950)
    assert plan("prune", "gender", "--rate", "0.001", "--tuning", "2") == PruningPlan(
        9_950, rate=1e-3, tuning=2
    )


def test_criteria_are_compared_in_larger_steps():
    assert plan("compare", "gender-parent") == PruningPlan(target=9_950, share=0.25, epochs=6)
