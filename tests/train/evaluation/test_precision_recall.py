"""Precision and recall by score."""

import pytest

from train.evaluation.precision_recall import precision_recall


def test_figures_are_those_computed_by_hand():
    # In the order of the scores: hit, false, hit, hit; a fourth face is never found.
    curve = precision_recall([0.1, 0.9, 0.5, 0.7], [1, 1, 1, 0], 4)
    assert curve.scores.tolist() == [0.9, 0.7, 0.5, 0.1]
    assert curve.precision.tolist() == pytest.approx([1, 1 / 2, 2 / 3, 3 / 4])
    assert curve.recall.tolist() == [0.25, 0.25, 0.5, 0.75]
    assert curve.average_precision == pytest.approx(0.25 * (1 + 2 / 3 + 3 / 4))


def test_the_lowest_score_of_enough_precision_counts():
    curve = precision_recall([4, 3, 2, 1], [1, 0, 1, 1], 4)
    assert curve.at_precision(0.7) == (0.75, 1)
    assert curve.at_precision(0.8) == (0.25, 4)
    assert curve.at_precision(0.6) == (0.75, 1)


def test_equal_scores_count_together():
    curve = precision_recall([2, 1, 1, 1], [1, 1, 0, 0], 2)
    assert curve.scores.tolist() == [2, 1]
    assert curve.precision.tolist() == [1, 0.5]
    assert curve.recall.tolist() == [0.5, 1]
    assert curve.at_precision(0.6) == (0.5, 2)


def test_nothing_found_is_no_recall():
    assert precision_recall([], [], 3).average_precision == 0
    assert precision_recall([1.0], [0], 3).at_precision(0.5) == (0, float("inf"))
    assert precision_recall([], [], 0).average_precision == 0
