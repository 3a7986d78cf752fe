"""A run's page: the plots of other commands, pruning steps, and the origin of published networks."""

import json

import cv2
import numpy as np
import pytest

from edge.errors import DataError
from tests.support.html_page import Page
from train.reports.run_page import write_page

SETTINGS = {"recipe": {"name": "toy", "epochs": 2}, "parameters": 1234}
STEPS = "number,parameters,multiply_accumulates,before,after,widths\n"


def page_of(folder, settings=SETTINGS):
    return Page(write_page(folder, settings).read_text(encoding="utf-8"))


def draw(folder, *names):
    for name in names:
        cv2.imwrite(str(folder / f"{name}.png"), np.zeros((40, 1200), np.uint8))


def test_the_page_shows_the_plots_and_steps_of_other_commands(tmp_path):
    draw(tmp_path, "saliency", "pruning")
    (tmp_path / "steps.csv").write_text(STEPS + '1,39891,1904000,0.5,0.55125,"stem 24, head 28"\n')
    page = page_of(tmp_path)
    assert len(page.pictures) == 2
    for text in ("What it looks at", "Steps of the pruning", "39,891", "55.1%", "stem 24, head 28"):
        assert text in page.text
    assert "Channels were removed in the order" not in page.text  # without a plan the order is unknown
    (tmp_path / "steps.csv").write_text("number,parameters\n1,2\n")
    with pytest.raises(DataError, match=r"steps\.csv: no table of pruning steps"):
        write_page(tmp_path, SETTINGS)


@pytest.mark.parametrize(
    ("criterion", "sentence"),
    [
        ("taylor", "in the order of their Taylor importance, the least important first."),
        ("magnitude", "in the order of their weights' magnitude, the smallest first."),
        ("random", "Channels were removed at random."),
    ],
)
def test_the_page_of_a_pruned_network_names_the_criterion(tmp_path, criterion, sentence):
    draw(tmp_path, "pruning")
    (tmp_path / "plan.json").write_text(json.dumps({"plan": {"criterion": criterion}}))
    text = page_of(tmp_path).text
    assert sentence in text
    assert ("Taylor" in text) == (criterion == "taylor")


@pytest.mark.train
def test_the_page_of_a_published_network_names_its_origin(tmp_path):
    settings = {"recipe": {"name": "tang", "spec": {"architecture": "tang", "classes": 7}}}
    assert "The network: after Tang 2013 (arXiv:1306.0239)" in page_of(tmp_path, settings).text
    assert "The network:" not in page_of(tmp_path).text


def test_the_page_lists_all_settings(tmp_path):
    settings = {
        "a": {"b": {"c": 1.5}, "empty": {}},
        "none": None,
        "yes": True,
        "list": [1, {"d": 2}],
        "no": (),
    }
    lines = page_of(tmp_path, settings).text.splitlines()
    expected = ["a.b.c1.5", "a.emptynone", "nonenone", "yesyes", "list1; d 2", "nonone"]
    assert lines[lines.index("settingvalue") + 2 :][: len(expected)] == expected


def test_where_the_temperature_of_an_earlier_version_comes_from_is_said_in_words(tmp_path):
    calibration = {"temperature": 0.88, "temperature_from": "val.json"}
    calibration |= dict.fromkeys(("ece", "ece_after", "nll", "nll_after"), 0.1)
    figures = {"split": "toy train", "count": 3, "accuracy": 0.5, "macro_f1": 0.5, "calibration": calibration}
    (tmp_path / "train.json").write_text(json.dumps(figures))
    write_page(tmp_path, {})
    assert "Temperature: 0.88, fitted on the validation split." in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize(
    ("content", "message"), [("{", "not JSON"), ('{"calibration": 1}', "calibration is no object")]
)
def test_damaged_figures_are_refused(tmp_path, content, message):
    (tmp_path / "val.json").write_text(content)
    with pytest.raises(DataError, match=message):
        write_page(tmp_path, SETTINGS)


def test_figures_of_an_earlier_version_are_left_out(tmp_path):
    (tmp_path / "val.json").write_text('{"split": "toy val", "count": 3}')
    assert "toy val" not in page_of(tmp_path).text
