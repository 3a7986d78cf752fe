"""Networks from specs."""

from dataclasses import replace

import numpy as np
import pytest

from edge.errors import ConfigError
from train.models.spec import BUDGET, NetSpec, Stage, TeacherSpec
from train.recipes.registry import GROUPS, RECIPES, find_recipes

pytestmark = pytest.mark.train

SMALL = {recipe.name: recipe.spec for recipe in RECIPES.values() if isinstance(recipe.spec, NetSpec)}
EMOTION, GENDER = SMALL["emotion"], SMALL["gender"]


@pytest.mark.parametrize("name", SMALL)
def test_small_recipes_count_what_they_build(name):
    from train.models.sepnet import build

    spec = SMALL[name]
    body = build(spec).get_layer("body")
    built = sum(int(np.prod(weight.shape)) for weight in body.weights)
    total, unbiased = built, set()
    for layer in body.layers:
        if layer.name.endswith("_bn"):
            total -= 3 * layer.gamma.shape[0]  # folded: a bias is left of its four values a channel
        elif "_repeated_bn" in layer.name:
            total -= 2 * layer.gamma.shape[0]  # in front of its convolution: scale and offset are left
        elif layer.name.endswith(("_depthwise", "_repeated_pointwise")):
            unbiased.add(layer.output.shape[-1])
        elif layer.name == "places":
            total -= layer.bias.shape[0]  # it becomes part of the logits' bias
            unbiased.add(layer.bias.shape[0])
    assert spec.stored_parameters() == total + sum(unbiased)


@pytest.mark.parametrize("spec", [EMOTION, GENDER])
def test_what_ships_stays_below_the_budget(spec):
    assert spec.stored_parameters() < BUDGET


def test_a_repeated_block_has_one_set_of_weights():
    from train.models.sepnet import build

    once, thrice = (build(NetSpec(4, (Stage(6, 1, repeats=times),), 3, 7, size=16)) for times in (1, 3))
    body = thrice.get_layer("body")
    assert sum("repeated_pointwise" in layer.name for layer in body.layers) == 1
    # Two more times: two more BatchNorms of four values a channel, and nothing else.
    assert thrice.count_params() - once.count_params() == 2 * 4 * 6


def test_pixels_reach_the_body_as_int8_can_hold_them():
    from train.models.sepnet import build

    scaled = build(GENDER).get_layer("scale")(np.array([[0.0, 128.0, 255.0]]))
    np.testing.assert_array_equal(np.asarray(scaled), [[-1.0, 0.0, 127 / 128]])


def test_a_teacher_in_half_precision_answers_in_float32_and_leaves_the_policy_alone():
    import keras

    from train.models.sepnet import build

    teacher = build(TeacherSpec((4, 6, 8), classes=7, size=16), precision="mixed_bfloat16")
    logits = teacher(np.zeros((2, 16, 16, 1), np.float32))
    assert keras.backend.standardize_dtype(logits.dtype) == "float32"
    assert teacher.get_layer("body").get_layer("stem").compute_dtype == "bfloat16"
    assert keras.config.dtype_policy().name == "float32"


@pytest.mark.parametrize("change", [{"stem": 0}, {"head": 0}, {"classes": 1}, {"stages": (Stage(4, 0),)}])
def test_impossible_specs_are_refused(change):
    with pytest.raises(ConfigError, match="must be at least 1"):
        replace(EMOTION, **change)


@pytest.mark.parametrize("change", [{"widths": (4,)}, {"widths": (4, 0)}, {"dropout": 1.0}, {"classes": 1}])
def test_impossible_teachers_are_refused(change):
    with pytest.raises(ConfigError, match="expected at least two widths"):
        replace(TeacherSpec((4, 8), classes=7), **change)


def test_groups_stand_in_the_order_in_which_they_build_on_each_other():
    for name in GROUPS:
        done: set[str] = set()
        for recipe in find_recipes(name):
            sources = {*recipe.teachers, *([recipe.start] if recipe.start else [])}
            assert sources <= done or name != "shipped"
            done.add(recipe.name)
    assert [recipe.name for recipe in find_recipes("gender")] == ["gender"]


def test_unknown_recipe_lists_all():
    with pytest.raises(
        ConfigError, match=r"no recipe 'emotions'; expected one of emotion-teacher, .*ablation"
    ):
        find_recipes("emotions")
