"""The recipe of a network that finds faces: what is refused, and what is stored."""

import json
from dataclasses import fields, replace

import pytest

from edge.errors import ConfigError, DataError
from edge.labels import LABELS

pytestmark = pytest.mark.train

from train.models.sepnet import build  # noqa: E402
from train.models.spec import BUDGET  # noqa: E402
from train.recipes.face_recipe import FaceRecipe  # noqa: E402
from train.recipes.face_recipes import FACE_RECIPES, PROPOSAL, REFINEMENT  # noqa: E402
from train.recipes.registry import RECIPES  # noqa: E402

# The names of the fields are stored in the run.json of every run.
FIELDS = (
    "name task spec epochs crops validation_crops photometry losses dataset portraits hard_negatives miner "
    "judge start batch_size optimizer learning_rate schedule weight_decay averaging precision seed"
)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0}, "epochs 0, expected at least 1"),
        ({"crops": 0}, "crops 0, expected at least 1"),
        ({"validation_crops": 0}, "validation_crops 0, expected at least 1"),
        ({"batch_size": -1}, "batch_size -1, expected at least 1"),
        ({"seed": -1}, "seed -1, expected 0 to 4294967295"),
        ({"averaging": 2.0}, r"averaging 2\.0, expected 0 to 1"),
        ({"spec": REFINEMENT.spec}, "NetSpec is no network for proposal"),
        ({"task": "refinement"}, "ProposalSpec is no network for refinement"),
    ],
)
def test_impossible_recipes_are_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        replace(PROPOSAL, **change)


@pytest.mark.parametrize("recipe", FACE_RECIPES, ids=lambda recipe: recipe.name)
def test_a_recipe_is_read_back_from_a_run(recipe):
    stored = json.loads(json.dumps(recipe.to_dict()))
    assert FaceRecipe.from_dict(stored) == recipe
    assert " ".join(stored) == FIELDS == " ".join(field.name for field in fields(FaceRecipe))


@pytest.mark.parametrize("change", [{"crops": 0}, {"photometry": {"fog": 1}}, {"more": 1}])
def test_a_damaged_recipe_is_one_clear_line(change):
    with pytest.raises(DataError, match="not the recipe of a network that finds faces"):
        FaceRecipe.from_dict({**PROPOSAL.to_dict(), **change})


@pytest.mark.parametrize("recipe", FACE_RECIPES, ids=lambda recipe: recipe.name)
def test_networks_return_what_their_task_names(recipe):
    assert build(recipe.spec).output_shape[-1] == len(LABELS[recipe.task])
    parent = recipe.name.endswith("-parent")
    assert (recipe.spec.stored_parameters() < BUDGET) != parent


def test_parents_have_the_shape_of_what_they_are_pruned_to():
    for name in ("proposal", "refinement"):
        small, large = RECIPES[name], RECIPES[f"{name}-parent"]
        assert isinstance(small, FaceRecipe)
        assert isinstance(large, FaceRecipe)
        assert [(stage.blocks, stage.stride) for stage in small.spec.stages] == [
            (stage.blocks, stage.stride) for stage in large.spec.stages
        ]
        assert large.spec.stem > small.spec.stem
        assert type(large.spec) is type(small.spec)
