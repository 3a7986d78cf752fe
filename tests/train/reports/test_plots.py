"""Plots of a run: curves from logs, whole or cut, and the sheet of mistakes."""

import numpy as np
import pytest

from edge.errors import DataError, OutputError
from tests.support.pictures import read_picture
from train.evaluation.metrics import Evaluation
from train.reports.plots import save_curves_png, save_mistakes_png, save_recall_png

LOG = "epoch,learning_rate,loss,accuracy,val_loss,val_accuracy,val_macro_f1,seconds\n"


@pytest.fixture
def rows(toy):
    return toy.part("val")


@pytest.mark.parametrize("wrong", [0, 1, 100])
def test_the_sheet_draws_as_many_mistakes_as_there_are(rows, tmp_path, wrong):
    scores = np.eye(7)[rows.labels] * 0.7 + 0.3 / 7
    scores[:wrong] = np.roll(scores[:wrong], 1, axis=1)
    assert save_mistakes_png(rows, rows.images, scores, tmp_path / "a.png", 48) == min(wrong, 48)
    assert read_picture(tmp_path / "a.png").any()


def test_the_most_confident_mistake_comes_first(rows, tmp_path, monkeypatch):
    figures = []
    monkeypatch.setattr("train.reports.plots.save_figure", lambda figure, _: figures.append(figure))
    scores = np.eye(7)[rows.labels]
    for row, confidence in ((3, 0.6), (4, 0.9), (5, 0.7)):
        scores[row] = (1 - confidence) / 6
        scores[row, (rows.labels[row] + 1) % 7] = confidence
    assert save_mistakes_png(rows, rows.images, scores, tmp_path / "a.png", 2) == 2
    texts = [axes.texts[0].get_text() for axes in figures[0].axes if axes.texts]
    names = rows.label_names
    assert texts == [
        f"{names[rows.labels[row]]} →\n{names[(rows.labels[row] + 1) % 7]} ({confidence}%)"
        for row, confidence in ((4, 90), (5, 70))
    ]


def test_the_sheet_needs_scores_for_every_row(rows, tmp_path):
    with pytest.raises(DataError, match="140 rows, 140 crops and 3 rows of scores"):
        save_mistakes_png(rows, rows.images, np.ones((3, 7)), tmp_path / "a.png")


def test_recall_is_drawn_even_of_a_label_without_images(tmp_path):
    evaluation = Evaluation("toy val", ("a", "b"), np.array([[3, 1], [0, 0]]))
    save_recall_png(evaluation, tmp_path / "recall.png", "toy")
    assert read_picture(tmp_path / "recall.png").any()


@pytest.mark.parametrize("lines", ["1,0.1,1.5,0.4,1.4,0.5,0.4,9\n", "1,0.1,1.5,0.4,1.4,0.5,0.4,9\n2,0.1,1.5"])
def test_curves_of_a_single_epoch_even_if_the_next_line_is_cut(tmp_path, lines):
    (tmp_path / "log.csv").write_text(LOG + lines)
    save_curves_png(tmp_path / "log.csv", tmp_path / "curves.png", "toy")
    assert read_picture(tmp_path / "curves.png").shape[1] > 600


def test_curves_whose_training_accuracy_was_not_measured(tmp_path):
    (tmp_path / "log.csv").write_text("epoch,accuracy,val_accuracy\n1,nan,nan\n2,nan,0.5\n3,nan,0.6\n")
    save_curves_png(tmp_path / "log.csv", tmp_path / "curves.png", "toy")
    assert read_picture(tmp_path / "curves.png").any()


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "no epoch"), (LOG + "1,x,1,1,1,1,1,1\n", "damaged"), ("a,b\n1,2\n", "column 'epoch'")],
)
def test_a_damaged_log_is_refused(tmp_path, text, message):
    (tmp_path / "log.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        save_curves_png(tmp_path / "log.csv", tmp_path / "curves.png", "toy")


def test_a_plot_that_cannot_be_written(tmp_path):
    (tmp_path / "log.csv").write_text(LOG + "1,0.1,1.5,0.4,1.4,0.5,0.4,9\n")
    with pytest.raises(OutputError, match=r"cannot write .*curves\.png"):
        save_curves_png(tmp_path / "log.csv", tmp_path / "none" / "curves.png", "toy")


def drawn_curves(tmp_path, monkeypatch, log, plain=None):
    """Returns the legend of the accuracies and their title."""
    figures = []
    monkeypatch.setattr("train.reports.plots.save_figure", lambda figure, _: figures.append(figure))
    (tmp_path / "log.csv").write_text(log)
    save_curves_png(tmp_path / "log.csv", tmp_path / "curves.png", "toy", plain)
    axes = figures[0].axes[0]
    return [text.get_text() for text in axes.get_legend().get_texts()], axes.get_title()


def test_the_gap_is_between_accuracies_that_are_measured_alike(tmp_path, monkeypatch):
    log = (
        "epoch,loss,accuracy,val_loss,val_accuracy,train_accuracy\n1,1,0.9,1,0.5,0.6\n2,1,0.95,1,0.55,0.65\n"
    )
    legend, title = drawn_curves(tmp_path, monkeypatch, log)
    assert legend == ["validation: labels", "training: labels, unchanged pictures"]
    assert title == "accuracy: training +10.0 points at the end"


def test_agreement_with_the_targets_is_no_accuracy_and_makes_no_gap(tmp_path, monkeypatch):
    log = LOG + "1,0.1,1.5,0.7,1.4,0.5,0.4,9\n2,0.1,1.5,0.8,1.4,0.6,0.4,9\n"
    legend, title = drawn_curves(tmp_path, monkeypatch, log)
    assert legend == ["validation: labels", "training as it went: targets, changed pictures"]
    assert title == "accuracy"
    legend, title = drawn_curves(tmp_path, monkeypatch, log, (0.64, 0.6))
    assert legend[2:] == ["best epoch, the whole training split: labels"]
    assert title == "accuracy: training +4.0 points in the best epoch"
