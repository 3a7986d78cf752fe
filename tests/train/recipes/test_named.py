"""Recipes by what a command line names."""

import pytest

from edge.errors import ConfigError

pytestmark = pytest.mark.train

from train.recipes.named import classifier_named, recipe_named, recipes_named  # noqa: E402
from train.recipes.recipe_text import recipe_toml  # noqa: E402
from train.recipes.registry import GROUPS, RECIPES  # noqa: E402


@pytest.fixture
def write(tmp_path):
    """A function that writes a recipe into a file, and returns the file's name."""

    def write_recipe(name):
        file = tmp_path / "any.toml"
        file.write_text(recipe_toml(RECIPES[name], "mine"))
        return str(file)

    return write_recipe


def test_a_recipe_a_group_and_a_file_are_found(write):
    assert recipe_named("tang") is RECIPES["tang"]
    assert recipes_named("ablation") == tuple(RECIPES[name] for name in GROUPS["ablation"])
    file = write("tang")
    assert recipe_named(file).name == classifier_named(file).name == "mine"
    assert [recipe.name for recipe in recipes_named(file)] == ["mine"]


@pytest.mark.parametrize("find", [recipe_named, recipes_named, classifier_named])
def test_what_is_not_there_is_refused(find, tmp_path):
    with pytest.raises(ConfigError, match="no recipe 'nobody'"):
        find("nobody")
    with pytest.raises(ConfigError, match=r"none\.toml: no such file"):
        find(str(tmp_path / "none.toml"))


def test_a_group_is_not_a_recipe():
    with pytest.raises(ConfigError, match="'ablation' is a group of recipes"):
        recipe_named("ablation")


def test_a_network_that_finds_faces_is_no_classifier(write):
    assert classifier_named("emotion") is RECIPES["emotion"]
    for name in ("proposal", write("proposal")):
        with pytest.raises(ConfigError, match=f"'{name}' finds faces; expected the recipe of a network that"):
            classifier_named(name)
