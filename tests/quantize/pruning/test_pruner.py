"""A network is pruned step by step, and an interrupted pruning is resumed to the same result."""

from dataclasses import replace

import numpy as np
import pytest

from edge.errors import ConfigError, DataError

pytestmark = pytest.mark.train

from quantize.pruning.plan import PruningPlan  # noqa: E402
from quantize.pruning.pruner import _step_goals, prune  # noqa: E402
from quantize.pruning.steps import read_steps  # noqa: E402
from tests.support.pruning import TARGET, small_plan  # noqa: E402
from train.models.spec import Stage, TeacherSpec  # noqa: E402
from train.runs.archive import archive, restore  # noqa: E402
from train.runs.lookup import load_checkpoint, read_settings  # noqa: E402


@pytest.fixture(scope="module")
def pruned(toy, parent, tmp_path_factory):
    """The steps of a pruning that was not interrupted, and the folder of its run."""
    folder = tmp_path_factory.mktemp("pruned") / "net"
    return prune(parent.recipe, small_plan(), toy, folder, parent.sources), folder


def assert_same_network(one, other):
    for left, right in zip(
        *(load_checkpoint(run, "final.keras").get_weights() for run in (one, other)), strict=True
    ):
        np.testing.assert_array_equal(left, right)


def test_parameters_fall_in_steps_to_the_target(parent, pruned):
    steps, folder = pruned
    assert steps[0].parameters == parent.recipe.spec.stored_parameters()
    counts = [step.parameters for step in steps]
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] <= TARGET < counts[-2]
    assert len(steps) == 4
    assert read_steps(folder / "steps.csv") == steps
    settings = read_settings(folder)
    assert settings["parameters"] == counts[-1]
    assert settings["recipe"]["epochs"] == 2


def test_a_finished_pruning_is_not_repeated_and_not_mixed_with_another(toy, parent, pruned, monkeypatch):
    steps, folder = pruned
    monkeypatch.setattr("quantize.pruning.pruner.taylor_importance", None)
    assert prune(parent.recipe, small_plan(), toy, folder, parent.sources) == steps
    with pytest.raises(ConfigError, match="net holds a run with another plan"):
        prune(parent.recipe, small_plan(rate=1e-3), toy, folder, parent.sources)


def test_an_interrupted_pruning_is_resumed_to_the_same_network(
    interrupted_after, toy, parent, pruned, tmp_path
):
    steps, folder = pruned
    with interrupted_after("02 1/1"):
        prune(parent.recipe, small_plan(), toy, tmp_path / "net", parent.sources)
    assert prune(parent.recipe, small_plan(), toy, tmp_path / "net", parent.sources) == steps
    assert_same_network(folder, tmp_path / "net")


def test_a_pruning_interrupted_at_any_point_is_resumed_from_an_archive(
    interrupted_after, toy, parent, pruned, tmp_path
):
    steps, folder = pruned
    # The parent, saved again, is the same network in another file.
    load_checkpoint(parent.run).save(tmp_path / "again.keras")
    assert (tmp_path / "again.keras").read_bytes() != parent.sources.start.read_bytes()
    moved = replace(parent.sources, start=tmp_path / "again.keras")
    points = (("a", "01 1/1", parent.sources), ("b", "03 1/1", moved), ("c", "net 1/2", moved))
    for name, line, sources in points:
        with interrupted_after(line):
            prune(parent.recipe, small_plan(), toy, tmp_path / name / "net", sources)
        archive(tmp_path / name / "net", tmp_path / f"{name}.zip")
        restore(tmp_path / f"{name}.zip", tmp_path / chr(ord(name) + 1) / "net")
    assert prune(parent.recipe, small_plan(), toy, tmp_path / "d" / "net", moved) == steps
    assert_same_network(folder, tmp_path / "d" / "net")
    assert not (tmp_path / "d" / "net" / "steps" / "01").exists()  # archives hold the last two steps


def test_widths_become_multiples_in_one_step_though_the_target_is_met(toy, parent, tmp_path):
    plan = small_plan(target=5000, multiple=4)
    steps = prune(parent.recipe, plan, toy, tmp_path / "net", parent.sources)
    assert [step.widths for step in steps] == ["stem 6, stage0 10, head 5", "stem 4, stage0 8, head 5"]
    assert read_settings(tmp_path / "net")["parameters"] == steps[-1].parameters
    done = replace(parent.recipe, spec=replace(parent.recipe.spec, stem=4, stages=(Stage(8, 2),)))
    with pytest.raises(ConfigError, match=r"parameters; parent has .*, and widths of a multiple of 4"):
        prune(done, plan, toy, tmp_path / "other", parent.sources)


@pytest.mark.parametrize(
    ("change", "target", "message"),
    [
        ({}, 5000, "a target of 5,000 parameters; parent has"),
        ({}, 20, "a target of 20 parameters; with 2 channels left everywhere"),
        ({"spec": TeacherSpec((4, 8), classes=7, size=16)}, 600, "TeacherSpec cannot be pruned"),
    ],
)
def test_what_cannot_be_pruned_is_refused_before_anything_is_written(
    toy, parent, tmp_path, change, target, message
):
    recipe = replace(parent.recipe, **change)
    with pytest.raises(ConfigError, match=message):
        prune(recipe, small_plan(target=target), toy, tmp_path / "run", parent.sources)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", [None, "missing.keras"])
def test_a_parent_that_is_not_trained_is_refused(toy, parent, tmp_path, name):
    sources = replace(parent.sources, start=name and tmp_path / name)
    with pytest.raises(DataError, match="parent: no trained network to prune; train it first"):
        prune(parent.recipe, small_plan(), toy, tmp_path / "run", sources)


def test_a_step_of_a_tiny_share_takes_out_a_parameter_at_least():
    assert _step_goals(503, PruningPlan(500, "taylor", share=1e-6)) == [(502, 1), (501, 1), (500, 1)]
