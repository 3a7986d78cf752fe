"""The recipe: what is refused, and what is stored."""

import json
from dataclasses import fields, replace

import pytest

from edge.errors import ConfigError

pytestmark = pytest.mark.train

from train.recipes.recipe import Recipe  # noqa: E402
from train.recipes.registry import RECIPES  # noqa: E402

# The names of the fields are stored in the run.json of every run.
FIELDS = (
    "name task spec framing epochs dataset start teachers teaching votes label_smoothing balance matching "
    "augmentation views spoiling appearances standardize batch_size optimizer learning_rate schedule "
    "weight_decay averaging precision seed"
)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0}, "must be at least 1"),
        ({"batch_size": 0}, "must be at least 1"),
        ({"views": -1}, "views at least 0"),
        ({"votes": 1.5}, "votes 1.5, expected 0 to 1"),
        ({"balance": -0.1}, "balance -0.1, expected 0 to 1"),
        ({"seed": -1}, "seed -1, expected 0 to 4294967295"),
        ({"seed": 2**32}, "seed 4294967296, expected 0 to 4294967295"),
        ({"appearances": (1, 6)}, r"appearances \(1, 6\), expected 7 numbers of at least 1"),
        ({"appearances": (1, 6, 1, 1, 0, 1, 1)}, "expected 7 numbers of at least 1"),
        ({"teachers": ("a",)}, "belong together"),
        ({"teaching": 0.5}, "belong together"),
        ({"teachers": ("a",), "teaching": 0.5}, "belong together"),
    ],
)
def test_impossible_recipes_are_refused(toy_recipe, change, message):
    with pytest.raises(ConfigError, match=message):
        replace(toy_recipe, **change)


def test_teachers_need_a_share_and_views(toy_recipe):
    recipe = replace(toy_recipe, teachers=("a",), teaching=0.5, views=1)
    assert recipe.teachers == ("a",)


def test_stored_names_stay():
    assert " ".join(field.name for field in fields(Recipe)) == FIELDS
    stored = json.loads(json.dumps(RECIPES["emotion"].to_dict()))
    assert " ".join(stored) == FIELDS
    assert stored["framing"] == {"margin": 1.02, "shift_y": 0.0}
    assert stored["teachers"] == ["emotion-teacher"]


def test_the_crop_has_the_networks_size_and_the_recipes_framing(toy_recipe):
    assert (toy_recipe.crop.size, toy_recipe.crop.framing) == (16, toy_recipe.framing)
