"""A run's dataset and the checkpoints that it builds on, or what is missing of them."""

from dataclasses import replace

import numpy as np
import pytest

from edge.errors import DataError

pytestmark = pytest.mark.train

from train.data import Dataset  # noqa: E402
from train.runs import inputs  # noqa: E402
from train.runs.inputs import (  # noqa: E402
    checkpoints_for,
    load_for,
    load_located,
    prerequisites,
    trained,
)


def finish(folder):
    folder.mkdir()
    for file in ("best.keras", "final.keras"):
        (folder / file).touch()


def test_prerequisites_are_the_start_and_the_teachers(toy_recipe):
    assert prerequisites(toy_recipe) == ()
    recipe = replace(toy_recipe, start="tang", teachers=("a", "b"), teaching=0.5, views=2)
    assert prerequisites(recipe) == ("tang", "a", "b")


def test_only_a_finished_run_is_built_on(tmp_path):
    finish(tmp_path / "tang")
    assert trained("tang", tmp_path) == tmp_path / "tang" / "best.keras"
    (tmp_path / "tang" / "final.keras").unlink()
    with pytest.raises(DataError, match="is not finished: train tang first, or restore the shipped one with"):
        trained("tang", tmp_path)


def test_checkpoints_are_those_of_start_and_teachers(tmp_path, toy_recipe):
    for name in ("first", "teacher"):
        finish(tmp_path / name)
    recipe = replace(toy_recipe, start="first", teachers=("teacher",), teaching=0.5, views=2)
    checkpoints = checkpoints_for(recipe, tmp_path)
    assert checkpoints.start == tmp_path / "first" / "best.keras"
    assert checkpoints.teachers == {"teacher": tmp_path / "teacher" / "best.keras"}
    assert checkpoints.cache == tmp_path / "cache"
    assert checkpoints_for(toy_recipe, tmp_path).start is None


def test_boxes_are_found_in_loose_sets_alone(tmp_path, toy, monkeypatch):
    monkeypatch.setattr(inputs, "load_named", lambda *_: toy)
    monkeypatch.setattr(
        inputs, "with_boxes", lambda data, _: replace(data, boxes=np.zeros((len(data), 4), np.int32))
    )
    assert load_located("utkface", "data", tmp_path).boxes is not None
    assert load_located("fer2013", "data", tmp_path).boxes is None


def test_votes_are_read_if_the_recipe_uses_them(tmp_path, toy, toy_recipe, monkeypatch):
    monkeypatch.setattr(inputs, "load_named", lambda *_: toy)
    monkeypatch.setattr(inputs, "find_named", lambda *_: tmp_path)
    monkeypatch.setattr(
        inputs,
        "with_votes",
        lambda data, _: replace(data, soft_labels=np.eye(7, dtype=np.float32)[data.labels]),
    )
    assert load_for(toy_recipe, "data", tmp_path).soft_labels is None
    assert load_for(replace(toy_recipe, votes=0.5), "data", tmp_path).soft_labels is not None


def test_an_image_that_the_cascade_cut_out_is_its_own_box(monkeypatch, tmp_path):
    images = np.zeros((2, 96, 96), np.uint8)
    data = Dataset(
        "LFW", images, np.zeros(2, np.int64), ("male", "female"), ("a", "b"), np.array(["val"] * 2)
    )
    monkeypatch.setattr(inputs, "load_named", lambda *_: data)
    boxes = load_located("lfw", "data", tmp_path).boxes
    assert boxes is not None
    assert boxes.tolist() == [[0, 0, 96, 96]] * 2
    assert load_located("fer2013", "data", tmp_path).boxes is None
