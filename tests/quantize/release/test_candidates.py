"""What may be shipped for a task: its own runs, and its parent, pruned first."""

import json
import shutil
from dataclasses import asdict, replace

import pytest

from edge.errors import ConfigError, DataError

pytestmark = pytest.mark.train

from quantize.release import candidates, publish  # noqa: E402
from tests.support.pruning import small_plan  # noqa: E402
from train.models.spec import BUDGET, NetSpec, ProposalSpec  # noqa: E402
from train.recipes.registry import find_recipe  # noqa: E402
from train.reports.evaluate_any import evaluate_any  # noqa: E402
from train.runs.archive import archive, restore  # noqa: E402
from train.spoiling import Spoiling  # noqa: E402


@pytest.fixture
def runs(parent, tmp_path, monkeypatch):
    """A folder with the run of an emotion parent, which is pruned in one step."""
    recipe = replace(parent.recipe, name="emotion-parent")
    monkeypatch.setattr(candidates, "find_recipe", lambda name: replace(recipe, name=name))
    monkeypatch.setitem(candidates.PLANS, "emotion", small_plan(share=0.4))
    monkeypatch.setattr(candidates, "LAST_STAGES", {})
    monkeypatch.setattr(candidates, "NARROWING", {})
    folder = tmp_path / "runs"
    shutil.copytree(parent.run, folder / "emotion-parent")
    return folder


def test_without_a_finished_run_there_is_nothing_to_ship(toy, runs, tmp_path):
    with pytest.raises(DataError, match="no run of emotion in"):
        candidates.candidates("emotion", toy, tmp_path / "none")


def test_of_a_recipe_of_ones_own_all_runs_and_prunings_are_taken(parent, tmp_path):
    mine = replace(parent.recipe, name="mine")
    made = {
        "mine": ("run.json", "mine", True),
        "mine-seed2": ("run.json", "mine", True),
        "mine-seed3": ("run.json", "mine", False),
        "mine-taylor-1": ("plan.json", "mine", True),
        "mine-too": ("run.json", "mine-too", True),
        "mine-too-taylor-1": ("plan.json", "mine-too", True),
        "yours": ("run.json", "mine", True),
    }
    for folder, (file, name, finished) in made.items():
        (tmp_path / folder).mkdir()
        recipe = {"name": name, "spec": asdict(mine.spec)}
        (tmp_path / folder / file).write_text(json.dumps({"recipe": recipe}))
        if finished:
            (tmp_path / folder / "final.keras").touch()
    found = candidates.own_candidates(mine, tmp_path)
    assert [path.name for path in found] == ["mine", "mine-seed2", "mine-taylor-1"]
    assert candidates.own_candidates(mine, tmp_path / "none") == []
    wider = replace(mine, spec=replace(mine.spec, stem=mine.spec.stem + 1))
    with pytest.raises(ConfigError, match="mine is a run of mine with another spec; expected that of the re"):
        candidates.own_candidates(wider, tmp_path)


def test_a_run_with_another_network_than_its_recipe_is_not_pruned(toy, parent, tmp_path):
    shutil.copytree(parent.run, tmp_path / "mine")
    wider = replace(parent.recipe, name="mine", spec=replace(parent.recipe.spec, stem=8))
    with pytest.raises(ConfigError, match="mine is a run of mine with another spec; expected that of the re"):
        candidates.pruned_run(wider, small_plan(), toy, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_trained_parent_is_pruned_once_and_published(toy, parent, runs, lists, tmp_path, monkeypatch):
    (pruned,) = candidates.candidates("emotion", toy, runs)
    assert pruned == runs / "emotion-parent-taylor-1"
    for name in ("pruning.png", "saliency.png", "report.html"):
        assert (pruned / name).stat().st_size > 1000
    monkeypatch.setattr(candidates, "evaluate_any", None)  # nothing is evaluated twice
    # Neither a parent of another seed counts, nor a run that is not finished.
    shutil.copytree(runs / "emotion-parent", runs / "emotion-parent-seed2")
    shutil.copytree(runs / "emotion-parent", runs / "emotion")
    (runs / "emotion" / "final.keras").unlink()
    assert candidates.candidates("emotion", toy, runs) == [pruned]
    # A pruned run counts whatever its plan was, and whatever has become of the parent.
    monkeypatch.setitem(candidates.PLANS, "emotion", small_plan(share=0.3))
    (runs / "emotion-parent" / "final.keras").rename(runs / "final.keras")
    assert candidates.candidates("emotion", toy, runs) == [pruned]
    recipe = replace(parent.recipe, name="emotion-parent")
    with pytest.raises(DataError, match="emotion-parent is not finished: train emotion-parent first"):
        candidates.pruned_run(recipe, small_plan(seed=2), toy, runs)
    (runs / "final.keras").rename(runs / "emotion-parent" / "final.keras")

    (models := tmp_path / "models").mkdir()
    contract = publish.publish([pruned], toy, models)
    assert contract.training["goes on from"].startswith("emotion-parent, pruned from 678 to ")
    assert "by taylor importance" in contract.training["goes on from"]

    # Archived and restored elsewhere: nothing is pruned again, and the int8 file is the same.
    archive(pruned, tmp_path / "pruned.zip")
    elsewhere = tmp_path / "elsewhere"
    restore(tmp_path / "pruned.zip", elsewhere / pruned.name)
    shutil.copytree(runs / "emotion-parent", elsewhere / "emotion-parent")
    monkeypatch.setattr(candidates, "evaluate_any", evaluate_any)
    assert candidates.candidates("emotion", toy, elsewhere) == [elsewhere / pruned.name]
    assert not (elsewhere / pruned.name / "steps").exists()
    again = publish.publish([elsewhere / pruned.name], toy, models, overwrite=True)
    assert again.sha256 == contract.sha256


def test_a_pruned_network_goes_on_with_the_tasks_last_stage(toy, parent, runs, tmp_path, monkeypatch):
    taught = {"teachers": ("expert",), "teaching": 0.5, "views": 2}
    last = replace(parent.recipe, name="emotion-camera", epochs=1, spoiling=Spoiling(share=0.5), **taught)
    shutil.copytree(parent.run, tmp_path / "expert")
    for split in ("val", "train"):
        evaluate_any(toy, tmp_path / "expert", split)
    archive(tmp_path / "expert", tmp_path / "archives" / "expert.zip")
    monkeypatch.setattr(candidates, "ARCHIVES", tmp_path / "archives")
    parents = replace(parent.recipe, name="emotion-parent")
    monkeypatch.setattr(
        candidates, "find_recipe", lambda name: last if name == last.name else replace(parents, name=name)
    )
    monkeypatch.setattr(candidates, "LAST_STAGES", {"emotion": last.name})
    found = candidates.candidates("emotion", toy, runs)
    assert found == [runs / "emotion-camera", runs / "emotion-parent-taylor-1"]
    settings, pruned = (json.loads((run / "run.json").read_text()) for run in found)
    assert settings["recipe"]["spec"] == pruned["recipe"]["spec"]
    assert settings["recipe"]["start"] == "emotion-parent-taylor-1"
    assert settings["recipe"]["spoiling"]["share"] == 0.5
    assert (found[0] / "report.html").exists()
    assert settings["recipe"]["teachers"] == ["expert"]
    assert json.loads((runs / "expert" / "run.json").read_text())["recipe"]["name"] == parent.recipe.name
    monkeypatch.setattr(candidates, "fit", None)  # nothing is trained twice
    assert candidates.candidates("emotion", toy, runs) == found

    # What the last stage has trained is narrowed, and then nothing else is shipped.
    plan = small_plan(target=settings["parameters"] - 40, share=0.5, epochs=1)
    monkeypatch.setattr(candidates, "NARROWING", {"emotion": plan})
    shutil.rmtree(runs / "expert")  # restored again
    (narrowed,) = candidates.candidates("emotion", toy, runs)
    assert narrowed == runs / "emotion-camera-taylor-1"
    made = json.loads((narrowed / "run.json").read_text())
    assert made["parameters"] < settings["parameters"]
    assert made["recipe"]["teachers"] == ["expert"]
    assert (narrowed / "report.html").exists()
    monkeypatch.setattr(candidates, "prune", None)
    assert candidates.candidates("emotion", toy, runs) == [narrowed]


def test_students_are_restored_and_may_ship(toy, parent, runs, tmp_path, monkeypatch):
    for name in ("student", "student-2"):
        shutil.copytree(parent.run, tmp_path / name)
        for split in ("val", "train"):
            evaluate_any(toy, tmp_path / name, split)
        archive(tmp_path / name, tmp_path / "archives" / f"{name}.zip")
    monkeypatch.setattr(candidates, "ARCHIVES", tmp_path / "archives")
    monkeypatch.setattr(candidates, "STUDENTS", {"emotion": ("student", "student-2", "student-3")})
    found = candidates.candidates("emotion", toy, runs)
    # The third has no archive and was not trained.
    assert found == [runs / "student", runs / "student-2", runs / "emotion-parent-taylor-1"]
    # One that is trained here, or half-trained, is not replaced.
    shutil.rmtree(runs / "student-2")
    (runs / "student-2").mkdir()
    assert runs / "student-2" not in candidates.candidates("emotion", toy, runs)
    assert list((runs / "student-2").iterdir()) == []


def test_a_parent_that_finds_faces_is_pruned_and_reported_too(
    face_run, proposal_recipe, toy_faces, tmp_path, monkeypatch
):
    parent = replace(proposal_recipe, name="proposal-parent")
    monkeypatch.setattr(candidates, "find_recipe", lambda name: replace(parent, name=name))
    target = round(parent.spec.stored_parameters() * 0.8)
    monkeypatch.setitem(candidates.PLANS, "proposal", small_plan(target=target, share=0.5, epochs=1))
    shutil.copytree(face_run, tmp_path / "proposal-parent")
    shutil.copytree(face_run, tmp_path / "proposal-seed2")
    found = candidates.candidates("proposal", toy_faces, tmp_path)
    assert found == [tmp_path / "proposal-seed2", tmp_path / "proposal-parent-taylor-1"]
    for name in ("pruning.png", "report.html", "val.json", "train.json"):
        assert (found[1] / name).stat().st_size > 100
    archive(found[1], tmp_path / "pruned.zip")
    restore(tmp_path / "pruned.zip", tmp_path / "again" / found[1].name)
    assert candidates.candidates("proposal", toy_faces, tmp_path / "again") == [
        tmp_path / "again" / found[1].name
    ]


@pytest.mark.parametrize("task", candidates.PLANS)
def test_every_parent_is_larger_than_its_plan_leaves_it(task):
    spec = find_recipe(candidates.parent_of(task)).spec
    assert isinstance(spec, (NetSpec, ProposalSpec))
    assert candidates.PLANS[task].target < BUDGET < spec.stored_parameters()
