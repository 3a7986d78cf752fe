"""The registry of recipes."""

import pytest

from edge.errors import ConfigError

pytestmark = pytest.mark.train

from train.models.baselines import REFERENCES  # noqa: E402
from train.models.spec import ReferenceSpec  # noqa: E402
from train.recipes.registry import GROUPS, RECIPES, find_recipe, find_recipes  # noqa: E402


def test_a_recipe_is_found_by_its_name():
    assert [recipe.name for recipe in find_recipes("gender")] == ["gender"]
    assert all(find_recipe(name).name == name for name in RECIPES)


def test_shipped_recipes_follow_those_that_they_build_on():
    trained: set[str] = set()
    for recipe in find_recipes("shipped"):
        assert {*recipe.teachers, *([recipe.start] if recipe.start else [])} <= trained
        trained.add(recipe.name)


def test_every_recipe_builds_on_recipes():
    for recipe in RECIPES.values():
        pruned, _, _ = (recipe.start or recipe.name).partition("-taylor-")
        assert {*recipe.teachers, pruned} <= RECIPES.keys()


def test_every_published_network_has_a_recipe():
    specs = (recipe.spec for recipe in find_recipes("references"))
    assert {spec.architecture for spec in specs if isinstance(spec, ReferenceSpec)} == set(REFERENCES)


def test_an_unknown_recipe_is_refused_with_a_list_of_all():
    with pytest.raises(
        ConfigError, match=r"no recipe 'alexnet'; expected one of emotion-teacher, .*ablation"
    ):
        find_recipes("alexnet")


@pytest.mark.parametrize(
    ("name", "meant"),
    [("emotino", "emotion"), ("mini_xception", "mini-xception"), ("reference", "references")],
)
def test_a_misspelt_recipe_or_group_gets_a_suggestion(name, meant):
    with pytest.raises(ConfigError, match=f"no recipe '{name}'; did you mean '{meant}'[?] `python -m train "):
        find_recipes(name)


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_is_not_a_recipe(group):
    with pytest.raises(ConfigError, match=f"'{group}' is a group of recipes; name one of "):
        find_recipe(group)
