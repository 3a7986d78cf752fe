"""The report of a network that finds faces."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from edge.errors import DataError

pytestmark = pytest.mark.train

from tests.support.html_page import Page  # noqa: E402
from tests.support.pictures import read_picture  # noqa: E402
from train.reports.evaluate_any import evaluate_any  # noqa: E402
from train.reports.face_report import evaluate_face_run  # noqa: E402
from train.training.fit import fit  # noqa: E402


@pytest.fixture
def run(face_run, tmp_path):
    return shutil.copytree(face_run, tmp_path / "run")


def test_a_report_holds_figures_and_plots_of_both_splits(toy_faces, run):
    for split in ("val", "train"):
        evaluate_any(toy_faces, run, split)
        figures = json.loads((run / f"{split}.json").read_text())
        assert figures["split"] == f"toy scenes {split}"
        assert figures["count"] == 24
        plot = read_picture(run / f"{split}-precision-recall.png")
        assert plot.shape[1] > 1000
        assert plot.std() > 20
    page = Page((run / "report.html").read_text())
    assert len(page.pictures) == 4
    assert "tiny-proposal" in page.text
    assert "average precision" in page.text
    assert "recipe.photometry.blur_px" in page.text
    assert not list(run.glob("partial-*"))


def test_the_figures_are_those_of_the_best_checkpoint(toy_faces, run):
    figures = evaluate_face_run(toy_faces, run)
    log = (run / "log.csv").read_text().splitlines()[1:]
    best = max(float(line.split(",")[4]) for line in log)
    assert figures.headlines["average_precision"] == pytest.approx(best, abs=1e-5)


def test_a_refinement_network_has_a_report(toy_faces, refinement_recipe, tmp_path):
    run = tmp_path / "run"
    fit(replace(refinement_recipe, epochs=1), toy_faces, run)
    figures = evaluate_face_run(toy_faces, run)
    stored = json.loads((run / "val.json").read_text())
    assert stored["log_average_recall"] == pytest.approx(figures.headlines["log_average_recall"], abs=1e-4)
    assert set(stored["errors"]) == {"centre", "log_side", "roll_deg", "yaw"}
    assert "log average recall" in Page((run / "report.html").read_text()).text


def test_what_cannot_be_evaluated_is_one_clear_line(toy_faces, run, monkeypatch):
    with pytest.raises(DataError, match="toy scenes: no test rows"):
        evaluate_any(toy_faces, run, "test")
    monkeypatch.setattr(
        "train.reports.face_report.predict", lambda _, images: np.full((len(images), 8, 8, 4), np.nan)
    )
    with pytest.raises(DataError, match="returned nan or infinity; its training diverged"):
        evaluate_face_run(toy_faces, run)
    (run / "run.json").unlink()
    with pytest.raises(DataError, match="no trained run in"):
        evaluate_face_run(toy_faces, run)
    assert not (run / "val.json").exists()


def test_a_run_is_archived_and_restored(toy_faces, run, tmp_path):
    import keras

    from train.runs.archive import archive, restore
    from train.runs.results import read_runs

    for split in ("val", "train"):
        evaluate_any(toy_faces, run, split)
    archive(run, tmp_path / "archives" / "run.zip")
    restore(tmp_path / "archives" / "run.zip", tmp_path / "restored" / "run")
    for left, right in zip(
        keras.models.load_model(run / "best.keras").get_weights(),
        keras.models.load_model(tmp_path / "restored" / "run" / "best.keras").get_weights(),
        strict=True,
    ):
        np.testing.assert_array_equal(left, right)
    evaluate_any(toy_faces, tmp_path / "restored" / "run", "val")
    assert read_runs(tmp_path / "restored") == []  # a table compares accuracies, and this has none
