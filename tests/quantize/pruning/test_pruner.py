"""Channels go by worth and cost, step by step, and a killed pruning goes on where it stopped."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from edge.errors import ConfigError, DataError

pytestmark = pytest.mark.train

from train.models.spec import NetSpec, Stage, TeacherSpec  # noqa: E402

SPEC = NetSpec(stem=6, stages=(Stage(10, 2),), head=5, classes=7, size=16)


@pytest.fixture(scope="module")
def parent(toy, toy_recipe, tmp_path_factory):
    from train.training.fit import fit

    recipe = replace(toy_recipe, spec=SPEC, name="parent", epochs=6, views=2)
    folder = tmp_path_factory.mktemp("parent")
    fit(recipe, toy, folder / "run", sources(folder, None))
    return recipe, folder


def sources(folder, start):
    from train.training.epochs import Checkpoints

    return Checkpoints(start, {}, folder / "cache")


def plan(**changes):
    from quantize.pruning.plan import PruningPlan

    settings = {"target": 470, "share": 0.2, "batches": 6, "rate": 2e-3, "epochs": 2} | changes
    return PruningPlan(**settings)


def test_pruned_in_steps_to_the_target_and_resumed_to_the_same_network(
    broken_off, toy, parent, tmp_path, monkeypatch
):
    from quantize.pruning.pruner import prune
    from quantize.pruning.steps import read_steps
    from train.runs.lookup import load_checkpoint, read_settings

    recipe, folder = parent
    given = sources(folder, folder / "run" / "best.keras")
    steps = prune(recipe, plan(), toy, tmp_path / "whole", given)
    assert steps[0].parameters == SPEC.stored_parameters()
    counts = [step.parameters for step in steps]
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] <= 470 < counts[-2]
    assert len(steps) >= 3
    assert read_steps(tmp_path / "whole" / "steps.csv") == steps
    settings = read_settings(tmp_path / "whole")
    assert settings["parameters"] == counts[-1]
    assert settings["recipe"]["epochs"] == 2

    with broken_off("02 1/1"):
        prune(recipe, plan(), toy, tmp_path / "broken", given)
    assert prune(recipe, plan(), toy, tmp_path / "broken", given) == steps
    networks = [load_checkpoint(tmp_path / name).get_weights() for name in ("whole", "broken")]
    for left, right in zip(*networks, strict=True):
        np.testing.assert_array_equal(left, right)
    monkeypatch.setattr("quantize.pruning.pruner.taylor_importance", None)
    assert prune(recipe, plan(), toy, tmp_path / "whole", given) == steps  # nothing is left to do
    with pytest.raises(ConfigError, match="whole holds a run with another plan"):
        prune(recipe, plan(rate=1e-3), toy, tmp_path / "whole", given)


def test_a_pruning_that_was_broken_off_goes_on_from_an_archive_elsewhere(broken_off, toy, parent, tmp_path):
    import keras

    from quantize.pruning.pruner import prune
    from train.runs.archive import archive, restore

    recipe, folder = parent
    three = plan(share=0.1)
    given = sources(folder, folder / "run" / "best.keras")
    steps = prune(recipe, three, toy, tmp_path / "whole" / "net", given)
    # The parent saved again is the same network in another file.
    keras.models.load_model(given.start).save(tmp_path / "again.keras")
    assert (tmp_path / "again.keras").read_bytes() != given.start.read_bytes()
    moved = sources(tmp_path, tmp_path / "again.keras")
    for place, said, start in (("a", "02 1/1", given), ("b", "03 1/1", moved), ("c", "net 1/2", moved)):
        with broken_off(said):
            prune(recipe, three, toy, tmp_path / place / "net", start)
        archive(tmp_path / place / "net", tmp_path / f"{place}.zip")
        restore(tmp_path / f"{place}.zip", tmp_path / chr(ord(place) + 1) / "net")
    assert prune(recipe, three, toy, tmp_path / "d" / "net", moved) == steps
    networks = [
        keras.models.load_model(tmp_path / name / "net" / "final.keras").get_weights()
        for name in ("whole", "d")
    ]
    for left, right in zip(*networks, strict=True):
        np.testing.assert_array_equal(left, right)
    assert not (tmp_path / "d" / "net" / "steps" / "01").exists()  # nothing needs it any more


def test_a_trained_parent_is_pruned_on_the_way_to_models(toy, parent, lists, tmp_path, monkeypatch):
    from quantize.release import candidates, publish
    from train.reports.evaluate_run import evaluate_run
    from train.runs.archive import archive, restore

    recipe, folder = parent
    recipe = replace(recipe, name="emotion-parent")
    runs = tmp_path / "runs"
    monkeypatch.setattr(candidates, "find_recipe", lambda name: replace(recipe, name=name))
    monkeypatch.setitem(candidates.PLANS, "emotion", plan(share=0.4))
    with pytest.raises(DataError, match="no run of emotion in"):
        candidates.candidates("emotion", toy, runs)

    runs.mkdir()
    shutil.copytree(folder / "run", runs / "emotion-parent")
    (found,) = candidates.candidates("emotion", toy, runs)
    assert found == runs / "emotion-parent-taylor-1"
    for name in ("pruning.png", "saliency.png", "report.html"):
        assert (found / name).stat().st_size > 1000
    monkeypatch.setattr(candidates, "evaluate_run", None)  # nothing is done twice
    # A parent of another seed is none of them, and neither is what may still become better.
    shutil.copytree(folder / "run", runs / "emotion-parent-seed2")
    shutil.copytree(folder / "run", runs / "emotion")
    (runs / "emotion" / "final.keras").unlink()
    assert candidates.candidates("emotion", toy, runs) == [found]
    # By whatever plan it was pruned, and whatever has become of the parent.
    monkeypatch.setitem(candidates.PLANS, "emotion", plan(share=0.3))
    (runs / "emotion-parent" / "final.keras").rename(runs / "final.keras")
    assert candidates.candidates("emotion", toy, runs) == [found]
    with pytest.raises(DataError, match="emotion-parent is not finished: train emotion-parent first"):
        candidates.pruned_run(recipe, plan(seed=2), toy, runs)
    (runs / "final.keras").rename(runs / "emotion-parent" / "final.keras")

    (tmp_path / "models").mkdir()
    contract = publish.publish([runs / "emotion-parent", found], toy, tmp_path / "models")
    # Whichever read better: its origin is told.
    origin = contract.training["goes on from"]
    pruned = contract.training["run"] == found.name
    assert origin.startswith("parent, pruned from" if pruned else "random weights"), origin
    contract = publish.publish([found], toy, tmp_path / "models", overwrite=True)
    assert "pruned from" in contract.training["goes on from"]
    assert "by taylor importance" in contract.training["goes on from"]

    # Archived and restored elsewhere: nothing is pruned again, and the integers are the same.
    archive(found, tmp_path / "pruned.zip")
    elsewhere = tmp_path / "elsewhere"
    restore(tmp_path / "pruned.zip", elsewhere / found.name)
    shutil.copytree(folder / "run", elsewhere / "emotion-parent")
    monkeypatch.setattr(candidates, "evaluate_run", evaluate_run)
    assert candidates.candidates("emotion", toy, elsewhere) == [elsewhere / found.name]
    assert not (elsewhere / found.name / "steps").exists()
    again = publish.publish([elsewhere / found.name], toy, tmp_path / "models", overwrite=True)
    assert again.sha256 == contract.sha256


@pytest.mark.parametrize("criterion", ["magnitude", "random"])
def test_other_criteria_reach_the_same_size(toy, parent, tmp_path, criterion):
    from quantize.pruning.pruner import prune

    recipe, folder = parent
    given = sources(folder, folder / "run" / "best.keras")
    steps = prune(recipe, plan(criterion=criterion, share=0.3), toy, tmp_path / "run", given)
    assert 400 < steps[-1].parameters <= 470


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
    from quantize.pruning.pruner import prune

    recipe, folder = parent
    given = sources(folder, folder / "run" / "best.keras")
    with pytest.raises(ConfigError, match=message):
        prune(replace(recipe, **change), plan(target=target), toy, tmp_path / "run", given)
    assert not (tmp_path / "run").exists()


def test_nothing_to_prune(toy, parent, tmp_path):
    from quantize.pruning.pruner import prune

    recipe, folder = parent
    with pytest.raises(DataError, match="parent: no trained network to prune; train it first"):
        prune(recipe, plan(), toy, tmp_path / "run", sources(folder, None))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"criterion": "hope"}, "no criterion 'hope'; expected taylor, magnitude, random"),
        ({"share": 1.0}, "expected a share above 0 and below 1"),
        ({"tuning": 0}, "at least 1 of everything else"),
        ({"rate": -2e-3}, "a learning rate of -0.002; expected a number above 0"),
        ({"rate": 0}, "a learning rate of 0;"),
        ({"rate": float("nan")}, "a learning rate of nan;"),
        ({"seed": -1}, "seed -1, expected 0 to 4294967295"),
        ({"seed": 2**32}, "seed 4294967296, expected 0 to 4294967295"),
    ],
)
def test_impossible_plans_are_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        plan(**change)


def test_all_criteria_side_by_side(toy, parent, tmp_path, monkeypatch):
    from quantize.pruning.criteria import compare_criteria, plans_of

    recipe, folder = parent
    given = sources(folder, folder / "run" / "best.keras")
    plans = plans_of(plan(share=0.4, epochs=1), 2)
    found = compare_criteria(recipe, plans, toy, tmp_path, given)
    assert [(each.criterion, each.seed) for each in found] == [
        (criterion, seed) for seed in (1, 2) for criterion in ("taylor", "magnitude", "random")
    ]
    assert all(each.steps[-1].parameters <= 470 for each in found)
    assert len({each.steps[-1].widths for each in found}) > 1
    lines = (tmp_path / "criteria.md").read_text().splitlines()
    assert [line.split(" | ")[0] for line in lines[4:]] == [
        f"| {criterion}" for criterion in ("taylor", "magnitude", "random") for _ in (1, 2)
    ]
    assert f"{found[0].accuracy:.2%}" in lines[4]
    assert (tmp_path / "criteria.png").stat().st_size > 5_000
    monkeypatch.setattr("quantize.pruning.pruner.taylor_importance", None)  # nothing is left to do
    assert compare_criteria(recipe, plans, toy, tmp_path, given) == found


def test_a_parent_that_is_not_trained_is_said(toy, toy_recipe, tmp_path):
    from quantize.pruning.pruner import prune

    recipe = replace(toy_recipe, spec=SPEC)
    with pytest.raises(DataError, match="no trained network to prune; train it first"):
        prune(recipe, plan(), toy, tmp_path / "run", sources(tmp_path, tmp_path / "best.keras"))
