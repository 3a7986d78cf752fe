"""The plan of a training: all stages, what is there of each, and everything that is missing, at once."""

import json
from dataclasses import replace

import pytest

from edge.errors import DataError

pytestmark = pytest.mark.train

from train.recipes.registry import RECIPES  # noqa: E402
from train.runs.plan import check_complete, plan, plan_lines  # noqa: E402

TEACHER, STUDENT, REFINEMENT = (RECIPES[name] for name in ("emotion-teacher", "emotion", "refinement-first"))


def stages_of(tmp_path, *recipes):
    return plan({tmp_path / each.name: each for each in recipes}, str(tmp_path), tmp_path)


def add_data(folder):
    for name in ("fer2013.tar.gz", "fer2013new.csv", "UTKFace.tar", "lfw.tar", "scenes.tar"):
        (folder / name).touch()


def begin(folder, recipe, epochs, *files):
    folder.mkdir()
    (folder / "run.json").write_text(json.dumps({"recipe": recipe.to_dict()}))
    (folder / "log.csv").write_text("epoch,val_loss\n" + "".join(f"{n + 1},0.5\n" for n in range(epochs)))
    for file in ("last.weights.h5", *files):
        (folder / file).touch()


def test_each_stage_says_what_is_there_already(tmp_path):
    add_data(tmp_path)
    begin(tmp_path / "emotion-teacher", TEACHER, 36, "best.keras", "final.keras")
    begin(tmp_path / "emotion", STUDENT, 31, "best.keras")
    stages = stages_of(tmp_path, TEACHER, STUDENT, RECIPES["emotion-parent"])
    assert [(stage.done, stage.finished) for stage in stages] == [(36, True), (31, False), (0, False)]
    assert [" ".join(line.split()) for line in plan_lines(stages)] == [
        "1. emotion-teacher 36 epochs finished",
        "2. emotion 120 epochs goes on after epoch 31; builds on emotion-teacher",
        "3. emotion-parent 40 epochs to do; builds on emotion-teacher",
    ]
    check_complete(stages)


def test_what_is_missing_for_any_stage_is_named_at_the_start(tmp_path):
    add_data(tmp_path)
    for name in ("lfw.tar", "scenes.tar", "fer2013new.csv"):
        (tmp_path / name).unlink()
    with pytest.raises(DataError) as error:
        check_complete(stages_of(tmp_path, TEACHER, STUDENT, REFINEMENT))
    text = str(error.value)
    assert "for emotion-teacher: no fer2013new.csv next to" in text
    assert "for refinement-first: proposal is needed, and its run in" in text
    assert "for refinement-first: no scenes in" in text
    assert "for refinement-first: no lfw data in" in text
    assert "for emotion:" not in text


def test_a_recipe_builds_on_finished_runs_and_on_recipes_before_it(tmp_path):
    add_data(tmp_path)
    check_complete(stages_of(tmp_path, TEACHER, STUDENT))
    for recipes in ([STUDENT], [STUDENT, TEACHER]):
        with pytest.raises(DataError, match=r"emotion-teacher is needed, and its run in .* does not exist"):
            check_complete(stages_of(tmp_path, *recipes))
    begin(tmp_path / "emotion-teacher", TEACHER, 36, "best.keras", "final.keras")
    check_complete(stages_of(tmp_path, STUDENT))


def test_a_folder_with_a_run_of_another_recipe_is_named_at_the_start(tmp_path):
    add_data(tmp_path)
    begin(tmp_path / "emotion-teacher", replace(TEACHER, epochs=2), 1)
    with pytest.raises(DataError, match="holds a run with another recipe; name another folder"):
        check_complete(stages_of(tmp_path, TEACHER))
    (tmp_path / "emotion-teacher" / "run.json").write_text("{")
    with pytest.raises(DataError, match=r"run\.json is damaged"):
        check_complete(stages_of(tmp_path, TEACHER))
