"""Evaluating a run on its own dataset and on others."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from edge.errors import DataError

pytestmark = pytest.mark.train

from train.reports.evaluate_run import evaluate_run  # noqa: E402


@pytest.fixture
def run(toy_run, tmp_path):
    return shutil.copytree(toy_run, tmp_path / "run")


def figures_of(folder, split="val"):
    return json.loads((folder / f"{split}.json").read_text())


def test_the_figures_are_those_of_the_best_checkpoint(toy, run):
    report = evaluate_run(toy, run)
    log = (run / "log.csv").read_text().splitlines()[1:]
    assert report.evaluation.accuracy == pytest.approx(
        max(float(line.split(",")[5]) for line in log), abs=1e-5
    )
    assert figures_of(run)["split"] == "toy val"
    assert report.evaluation.count == 140


def test_another_datasets_figures_do_not_become_the_runs_own(toy, run):
    evaluate_run(toy, run)
    own = (run / "val.json").read_text()
    evaluate_run(replace(toy, name="Other"), run)
    # The same images with other splits: training has seen some of the validation images.
    evaluate_run(replace(toy, splits=np.roll(toy.splits, 1)), run)
    assert (run / "val.json").read_text() == own
    for folder, split in (("on-other", "Other val"), ("on-toy", "toy val")):
        figures = figures_of(run / folder)
        assert figures["split"] == split
        assert figures["calibration"]["temperature"] == json.loads(own)["calibration"]["temperature"]
        assert "may have learned from some of them" in (run / folder / "report.html").read_text()


def test_test_rows_that_were_added_later_belong_to_the_same_dataset(toy, run):
    rows = toy.take(np.arange(len(toy) + 5) % len(toy))
    evaluate_run(replace(rows, splits=np.array([*toy.splits, *["test"] * 5])), run, "test")
    assert figures_of(run, "test")["count"] == 5


def test_a_dataset_with_other_labels_is_refused(toy, run):
    foreign = replace(toy, label_names=(*toy.label_names[:-1], "contempt"))
    with pytest.raises(DataError, match=r"toy has the labels .*contempt; .* was trained on angry"):
        evaluate_run(foreign, run)
