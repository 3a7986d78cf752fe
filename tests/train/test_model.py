"""Networks from specs."""

import numpy as np
import pytest

from edge.errors import ConfigError
from train.recipe import RECIPES, find_recipe

pytestmark = pytest.mark.train


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=str)
def test_recipes_stay_below_the_budget_and_count_what_they_build(recipe):
    from train.model import build
    from train.spec import BUDGET

    model = build(recipe.spec)
    body = model.get_layer("body")
    built = sum(int(np.prod(weight.shape)) for weight in body.weights)
    # Folding replaces a BatchNorm's four values a channel by one bias; a bias-less depthwise gets a zero one.
    folded = sum(3 * layer.gamma.shape[0] for layer in body.layers if layer.name.endswith("_bn"))
    zeros = sum(layer.kernel.shape[2] for layer in body.layers if layer.name.endswith("_depthwise"))
    assert recipe.spec.stored_parameters() == built - folded + zeros
    assert recipe.spec.stored_parameters() < BUDGET


def test_pixels_reach_the_body_as_int8_can_hold_them():
    from train.model import build

    scaled = build(find_recipe("gender").spec).get_layer("scale")(np.array([[0.0, 128.0, 255.0]]))
    np.testing.assert_array_equal(np.asarray(scaled), [[-1.0, 0.0, 127 / 128]])


@pytest.mark.parametrize("change", [{"stem": 0}, {"head": 0}, {"classes": 1}])
def test_impossible_specs_are_refused(change):
    from dataclasses import replace

    with pytest.raises(ConfigError, match="must be at least 1"):
        replace(find_recipe("emotion").spec, **change)


def test_unknown_recipe_lists_all():
    with pytest.raises(
        ConfigError,
        match="no recipe 'emotions'; expected one of emotion-base, emotion-polish, emotion, gender",
    ):
        find_recipe("emotions")
