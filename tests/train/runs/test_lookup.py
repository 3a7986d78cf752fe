"""Which folders a name stands for, and what is read from them."""

import json
import subprocess
import sys
import zipfile
from dataclasses import replace

import pytest

from edge.errors import ConfigError, DataError

pytestmark = pytest.mark.train

import keras  # noqa: E402

from train.recipes.recipe_text import recipe_toml  # noqa: E402
from train.recipes.registry import GROUPS, RECIPES  # noqa: E402
from train.runs.lookup import (  # noqa: E402
    crop_spec_of,
    existing_runs,
    folder_of,
    load_checkpoint,
    read_settings,
    runs_named,
    runs_to_show,
)
from train.training.muon import PointwiseMuon  # noqa: E402


def make_run(folder, *files):
    folder.mkdir(parents=True)
    for name in files:
        (folder / name).write_text("{}")
    return folder


def test_a_recipes_folder_has_its_name_and_another_seed(tmp_path):
    recipe = RECIPES["tang"]
    assert folder_of(recipe, tmp_path) == tmp_path / "tang"
    assert folder_of(replace(recipe, seed=recipe.seed + 1), tmp_path).name == f"tang-seed{recipe.seed + 1}"
    assert folder_of(replace(recipe, epochs=1), tmp_path) == tmp_path / "tang"


def test_a_recipes_runs_are_those_of_any_seed(tmp_path):
    assert existing_runs(RECIPES["emotion"], tmp_path) == []
    for name in ("emotion-seed2", "emotion", "emotion-parent", "emotion-teacher", "emotion-seedling"):
        make_run(tmp_path / name)
    assert [run.name for run in existing_runs(RECIPES["emotion"], tmp_path)] == ["emotion", "emotion-seed2"]


def test_a_name_stands_for_finished_runs_if_there_are_any(tmp_path):
    with pytest.raises(DataError, match=r"no run of tang in .*; train it with `make train RECIPE=tang`"):
        runs_named("tang", tmp_path)
    begun = make_run(tmp_path / "tang", "run.json")
    assert runs_named("tang", tmp_path) == [begun]
    finished = make_run(tmp_path / "tang-seed2", "run.json", "final.keras")
    assert runs_named("tang", tmp_path) == [finished]


@pytest.mark.parametrize("file", ["run.json", "plan.json"])
def test_a_name_stands_for_any_other_run(tmp_path, file):
    run = make_run(tmp_path / "pruned", file)
    assert runs_named("pruned", tmp_path) == [run]
    with pytest.raises(ConfigError, match="no recipe 'nobody'"):
        runs_named("nobody", tmp_path)


def test_a_name_shows_a_recipe_a_group_or_any_other_run(tmp_path):
    assert runs_to_show("tang", tmp_path) == [tmp_path / "tang"]
    assert runs_to_show("shipped", tmp_path) == [tmp_path / name for name in GROUPS["shipped"]]
    run = make_run(tmp_path / "pruned", "run.json")
    assert runs_to_show("pruned", tmp_path) == [run]
    with pytest.raises(ConfigError, match="no recipe 'nobody'"):
        runs_to_show("nobody", tmp_path)


def test_a_recipes_file_stands_for_its_runs(tmp_path):
    file = tmp_path / "any.toml"
    file.write_text(recipe_toml(RECIPES["tang"], "mine"))
    with pytest.raises(
        DataError, match=r"no run of mine in .*; train it with `make train RECIPE=.*any\.toml`"
    ):
        runs_named(str(file), tmp_path)
    finished = [make_run(tmp_path / name, "final.keras") for name in ("mine", "mine-seed2")]
    make_run(tmp_path / "any", "run.json")
    assert runs_named(str(file), tmp_path) == finished
    assert runs_to_show(str(file), tmp_path) == finished[:1]
    with pytest.raises(ConfigError, match=r"none\.toml: no such file"):
        runs_to_show(str(tmp_path / "none.toml"), tmp_path)


def test_settings_are_read_or_their_absence_explained(tmp_path, toy_recipe):
    with pytest.raises(DataError, match=r"no trained run in .* \(run\.json\); train one"):
        read_settings(tmp_path)
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(DataError, match=r"run\.json: damaged .*; train anew"):
        read_settings(tmp_path)
    (tmp_path / "run.json").write_text(json.dumps({"recipe": toy_recipe.to_dict()}))
    assert crop_spec_of(read_settings(tmp_path)) == toy_recipe.crop


def test_a_checkpoint_that_is_missing_or_damaged_is_named(tmp_path):
    with pytest.raises(DataError, match=r"no trained network in .* \(best\.keras\); train one"):
        load_checkpoint(tmp_path)
    (tmp_path / "best.keras").write_text("no checkpoint")
    with pytest.raises(DataError, match=r"best\.keras: not a checkpoint of this package"):
        load_checkpoint(tmp_path)


def test_a_checkpoint_of_before_the_optimizer_was_moved_is_loaded(tmp_path):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    model.compile(PointwiseMuon(0.01), "mse")
    model.save(tmp_path / "new.keras")
    with zipfile.ZipFile(tmp_path / "new.keras") as new, zipfile.ZipFile(tmp_path / "best.keras", "w") as old:
        for name in new.namelist():
            content = new.read(name)
            if name == "config.json":
                assert b"train.training.muon" in content
                content = content.replace(b"train.training.muon", b"train.muon")
            old.writestr(name, content)
    # In a process of its own: here, the imports of other tests have registered the class.
    code = "import sys, pathlib; from train.runs.lookup import *; load_checkpoint(pathlib.Path(sys.argv[1]))"
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
