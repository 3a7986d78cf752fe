"""Groups of rows and class balance, against hand-counted figures."""

import numpy as np
import pytest

from train.data import Dataset
from train.evaluation.groups import balanced_weights, evaluate_groups


def rows_of(labels, **attributes):
    count = len(labels)
    return Dataset(
        "toy",
        np.zeros((count, 1, 1), np.uint8),
        np.array(labels, np.int64),
        ("a", "b"),
        tuple(map(str, range(count))),
        np.array(["train"] * count),
        attributes={name: np.array(values, np.int64) for name, values in attributes.items()},
    )


def test_half_as_many_rows_weigh_twice_as_much():
    # Shares 2/3 and 1/3 to the power of -1 are 1.5 and 3; their mean over the rows is 2.
    np.testing.assert_allclose(balanced_weights(rows_of([0, 0, 1]), 1.0), [0.75, 0.75, 1.5])


def test_the_power_says_how_far_labels_are_balanced():
    np.testing.assert_allclose(balanced_weights(rows_of([0, 0, 1]), 0.0), [1, 1, 1])
    weights = balanced_weights(rows_of([0, 0, 0, 0, 1]), 0.5)
    assert weights[4] / weights[0] == pytest.approx(2)  # the root of 4
    assert weights.mean() == pytest.approx(1)
    assert weights.dtype == np.float32


def test_ages_are_balanced_within_a_label():
    rows = rows_of([0, 0, 0, 1], age=[30, 35, 70, 30])
    # One of four rows each is aged 60 or more, or of label 1; two are the rest.
    np.testing.assert_allclose(balanced_weights(rows, 1.0), np.array([2, 2, 4, 4]) / 3)


def test_accuracy_by_age_band_ethnicity_and_label():
    rows = rows_of([0, 0, 1, 1], age=[12, 13, 39, 40], ethnicity=[0, 0, 1, 4])
    assert evaluate_groups(rows, np.array([True, False, True, True])) == {
        "age 0-12": {"count": 1, "accuracy": 1.0},
        "age 13-19": {"count": 1, "accuracy": 0.0},
        "age 20-39": {"count": 1, "accuracy": 1.0},
        "age 40-59": {"count": 1, "accuracy": 1.0},
        "age 13+": {"count": 3, "accuracy": 0.6667},
        "ethnicity white": {"count": 2, "accuracy": 0.5},
        "ethnicity black": {"count": 1, "accuracy": 1.0},
        "ethnicity other": {"count": 1, "accuracy": 1.0},
        "annotated a": {"count": 2, "accuracy": 0.5},
        "annotated b": {"count": 2, "accuracy": 1.0},
    }


def test_a_dataset_without_ages_and_ethnicities_has_no_groups():
    assert evaluate_groups(rows_of([0, 1]), np.array([True, False])) == {}
