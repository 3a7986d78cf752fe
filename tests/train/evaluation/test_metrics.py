"""Metrics against those counted by hand."""

import json

import numpy as np
import pytest

from train.evaluation.metrics import by_group, evaluate

LABELS = np.array([0, 0, 0, 1, 1, 2])
PREDICTED = np.array([0, 0, 1, 1, 0, 1])


def test_counts_accuracy_recall_and_macro_f1():
    result = evaluate("toy val", ("a", "b", "c"), LABELS, PREDICTED)
    assert result.confusion.tolist() == [[2, 1, 0], [1, 1, 0], [0, 1, 0]]
    assert result.count == 6
    assert result.accuracy == pytest.approx(3 / 6)
    np.testing.assert_allclose(result.recall, [2 / 3, 1 / 2, 0])
    # F1: a 4/6, b 2/5, c 0
    assert result.macro_f1 == pytest.approx((4 / 6 + 2 / 5 + 0) / 3)


def test_numbers_survive_json():
    result = evaluate("toy val", ("a", "b", "c"), LABELS, PREDICTED)
    stored = json.loads(json.dumps(result.to_dict()))
    assert stored["accuracy"] == 0.5
    assert stored["confusion"] == result.confusion.tolist()


def test_empty_groups_are_left_out():
    hits = np.array([True, False, True])
    groups = {"x": np.array([True, True, False]), "none": np.zeros(3, bool)}
    assert by_group(groups, hits) == {"x": {"count": 2, "accuracy": 0.5}}
