"""What decides a run's result: anything that changes it changes the provenance."""

from dataclasses import replace

import numpy as np
import pytest

pytestmark = pytest.mark.train

from train.models.sepnet import build  # noqa: E402
from train.training.epochs import Checkpoints  # noqa: E402
from train.training.provenance import provenance  # noqa: E402


def digests(recipe, rows):
    return provenance(recipe, rows, Checkpoints())["beside"]


def test_recipe_data_versions_and_backend_are_named(toy, toy_recipe):
    stored = provenance(toy_recipe, toy, Checkpoints())
    assert stored["recipe"] == toy_recipe.to_dict()
    assert stored["data"] == {"name": "toy", "rows": 560, "fingerprint": toy.fingerprint()}
    assert stored["versions"]["numpy"] == np.__version__
    assert stored["backend"] in stored["versions"]
    assert stored["sources"] == {}
    other = replace(toy, labels=(toy.labels + 1) % 7)
    assert provenance(toy_recipe, other, Checkpoints())["data"] != stored["data"]


def test_votes_and_ages_count_if_the_recipe_uses_them(toy, toy_recipe):
    ages = {"age": np.arange(len(toy))}
    rows = replace(toy, attributes=ages, soft_labels=np.eye(7, dtype=np.float32)[toy.labels])
    recipe = replace(toy_recipe, votes=0.5, balance=0.5)
    before = digests(recipe, rows)
    assert set(before) == {"votes", "ages"}
    assert digests(recipe, replace(rows, soft_labels=1 - rows.soft_labels))["votes"] != before["votes"]
    assert digests(recipe, replace(rows, attributes={"age": ages["age"] + 1}))["ages"] != before["ages"]
    assert digests(toy_recipe, rows) == {}


def test_digests_of_boxes_are_those_of_earlier_runs(toy, toy_recipe):
    boxes = np.array([[row % 3, -2, 14, 15] for row in range(len(toy))], dtype=np.int32)
    # As computed when boxes were kept as tuples and hashed as 64-bit numbers.
    assert digests(toy_recipe, replace(toy, boxes=boxes)) == {"boxes": "cce2574722414429"}


def test_the_weights_of_start_and_teachers_count(toy, toy_recipe, tmp_path):
    for name in ("start", "teacher"):
        build(toy_recipe.spec).save(tmp_path / f"{name}.keras")
    checkpoints = Checkpoints(tmp_path / "start.keras", {"a": tmp_path / "teacher.keras"})
    before = provenance(toy_recipe, toy, checkpoints)["sources"]
    assert set(before) == {"start", "a"}
    build(toy_recipe.spec).save(tmp_path / "teacher.keras")
    after = provenance(toy_recipe, toy, checkpoints)["sources"]
    assert after["start"] == before["start"]
    assert after["a"] != before["a"]
