"""A run's report: the files of a split, the temperature, and outputs that are refused."""

import json

import numpy as np
import pytest

from edge.errors import DataError, OutputError
from tests.support.html_page import Page
from train.reports.run_report import SplitOutputs, report_run

SETTINGS = {"recipe": {"name": "toy <script>alert(1)</script>", "epochs": 2}, "parameters": 1234}
LOG = "epoch,learning_rate,loss,accuracy,val_loss,val_accuracy,val_macro_f1,seconds\n"


@pytest.fixture(scope="module")
def rows(toy):
    return toy.part("val")


def logits_for(rows, seed=0):
    """Logits that are right for most rows, with more confidence than accuracy."""
    random = np.random.default_rng(seed)
    return (4 * np.eye(7)[rows.labels] + random.normal(0, 3, (len(rows), 7))).astype(np.float32)


def outputs_for(rows, split="val", seed=0, **more):
    return SplitOutputs(split, rows, rows.images, logits_for(rows, seed), **more)


def test_figures_plots_and_a_page_that_holds_them_are_written(rows, tmp_path):
    (tmp_path / "log.csv").write_text(LOG + "1,0.1,1.5,0.4,1.4,0.5,0.4,9\n2,0,1,0.6,1.2,0.55,0.5,9\n")
    groups = {"age 13+": {"count": 70, "accuracy": 0.5}}
    outputs = outputs_for(rows, groups=groups)
    report = report_run(tmp_path, outputs, SETTINGS)
    assert report.evaluation.count == len(rows)
    plots = [f"val-{name}.png" for name in ("confusion", "recall", "reliability", "mistakes")]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ["log.csv", "val.json", "curves.png", "report.html", *plots]
    )
    figures = json.loads((tmp_path / "val.json").read_text())
    hits = outputs.logits.argmax(axis=1) == rows.labels
    assert figures["accuracy"] == pytest.approx(hits.mean(), abs=1e-4)
    assert figures["groups"] == groups
    assert figures["calibration"]["ece_after"] < figures["calibration"]["ece"]
    page = Page((tmp_path / "report.html").read_text())
    assert "script" not in page.tags
    assert "link" not in page.tags
    assert "<script>alert(1)</script>" in page.text
    assert page.levels[0] == 1
    assert set(page.levels[1:]) == {2}
    assert len(page.pictures) == 5  # four of the split, and the curves
    assert all(picture["alt"] for picture in page.pictures)
    assert "1,234" in page.text
    assert f"{figures['accuracy']:.1%}" in page.text


def test_another_split_uses_the_temperature_of_val_and_stands_on_the_same_page(rows, tmp_path):
    fitted = report_run(tmp_path, outputs_for(rows), SETTINGS).calibration.temperature
    test = report_run(tmp_path, outputs_for(rows, "test", seed=1), SETTINGS)
    assert test.calibration.temperature == pytest.approx(fitted, abs=1e-4)
    assert test.calibration.temperature_from == "fitted on the validation split"
    assert (
        f"Temperature: {fitted:.3g}, fitted on the validation split."
        in (tmp_path / "report.html").read_text()
    )
    assert len(Page((tmp_path / "report.html").read_text()).pictures) == 8
    foreign = report_run(tmp_path / "on-other", outputs_for(rows, foreign=True), SETTINGS)
    assert foreign.calibration.temperature == test.calibration.temperature
    assert json.loads((tmp_path / "on-other" / "val.json").read_text())["foreign"] is True


def test_without_a_fitted_temperature_it_is_1(rows, tmp_path, caplog):
    report = report_run(tmp_path, outputs_for(rows, "test"), SETTINGS)
    assert report.calibration.temperature == 1
    assert str(report.calibration.temperature_from).startswith("not fitted")
    assert "evaluate val first" in caplog.text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"split": "training"}, "split 'training': expected one of val, test, train"),
        ({"logits": np.zeros((3, 7), np.float32)}, "140 rows, 140 crops, logits .* expected equally many"),
        ({"logits": np.zeros((140, 6), np.float32)}, "and 7 logits per row"),
        (
            {"logits": np.full((140, 7), np.nan, np.float32)},
            "returned nan or infinity; its training diverged",
        ),
    ],
)
def test_outputs_that_do_not_fit_are_refused(rows, change, message):
    fields = {"split": "val", "rows": rows, "crops": rows.images, "logits": logits_for(rows)}
    with pytest.raises(DataError, match=message):
        SplitOutputs(**fields | change)


def test_a_damaged_temperature_is_named(rows, tmp_path):
    (tmp_path / "val.json").write_text('{"calibration": {"temperature": "hot"}}')
    with pytest.raises(DataError, match="temperature 'hot'; expected a number above 0"):
        report_run(tmp_path, outputs_for(rows, "test"), SETTINGS)


def test_a_folder_that_cannot_be_written(rows, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"cannot write into .*: Not a directory"):
        report_run(tmp_path / "file" / "run", outputs_for(rows), SETTINGS)


def test_a_label_without_images_has_no_recall(rows, tmp_path):
    some = rows.take(np.flatnonzero(rows.labels != 3))
    report_run(tmp_path, outputs_for(some), SETTINGS)
    assert json.loads((tmp_path / "val.json").read_text())["recall"]["happy"] is None
