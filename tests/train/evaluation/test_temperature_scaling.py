"""Confidences and temperatures against numbers counted by hand."""

import math

import numpy as np
import pytest

from edge.errors import ConfigError, DataError
from train.evaluation.temperature_scaling import (
    evaluate_temperature,
    expected_calibration_error,
    fit_temperature,
    negative_log_likelihood,
    reliability,
    softmax,
)


def overconfident(count=600):
    """Logits with a confidence of 80 % and an accuracy of 60 %, and their labels."""
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, count)
    predicted = np.where(random.random(count) < 0.6, labels, (labels + 1) % 3)
    return np.log(np.where(np.eye(3)[predicted] == 1, 0.8, 0.1)), labels


def test_softmax_sums_to_one_without_overflow():
    scores = softmax(np.array([[1000.0, 1000.0, -1000.0], [0, math.log(3), -99]]))
    np.testing.assert_allclose(scores, [[0.5, 0.5, 0], [0.25, 0.75, 0]], atol=1e-12)
    np.testing.assert_allclose(softmax(np.array([[0, math.log(9)]]), 2.0), [[0.25, 0.75]])
    with pytest.raises(ConfigError, match="temperature 0"):
        softmax(np.zeros((1, 2)), 0)


def test_8_bit_logits_do_not_wrap_around():
    np.testing.assert_allclose(softmax(np.array([[-128, 127]], np.int8))[0, 1], 1)


def test_likelihood_by_hand():
    logits = np.array([[0.0, 0.0], [0.0, np.log(3.0)]], dtype=np.float32)
    value = negative_log_likelihood(logits, np.array([0, 1]))
    assert value == pytest.approx((np.log(2) - np.log(0.75)) / 2, abs=1e-6)


def test_bins_count_their_predictions():
    bins = reliability(np.array([0.0, 0.5, 0.51, 1.0]), np.array([False, True, True, False]), 2)
    assert [(each.low, each.high, each.count) for each in bins] == [(0, 0.5, 2), (0.5, 1, 2)]
    assert bins[0].accuracy == bins[1].accuracy == 0.5
    assert bins[1].confidence == pytest.approx(0.755)
    assert math.isnan(reliability(np.array([0.1]), np.array([True]), 2)[1].accuracy)


def test_calibration_error_by_hand():
    confidence, hits = np.array([0.9, 0.9, 0.9, 0.9, 0.2]), np.array([True, True, True, False, False])
    assert expected_calibration_error(confidence, hits, 10) == pytest.approx(0.8 * 0.15 + 0.2 * 0.2)
    assert expected_calibration_error(np.array([1.0, 1.0]), np.array([True, True])) == 0


def test_the_fitted_temperature_makes_confidence_equal_accuracy():
    logits, labels = overconfident()
    temperature = fit_temperature(logits, labels)
    accuracy = (logits.argmax(axis=1) == labels).mean()
    assert softmax(logits, temperature).max(axis=1).mean() == pytest.approx(accuracy, abs=1e-3)
    assert fit_temperature(3 * logits, labels) == pytest.approx(3 * temperature, rel=1e-4)
    measured = evaluate_temperature(logits, labels, temperature, "here")
    assert measured.ece_after < 0.01
    assert measured.ece > 0.15
    assert measured.nll_after < measured.nll
    assert measured.to_dict()["temperature_from"] == "here"


def test_temperature_has_bounds():
    labels = np.array([0, 1])
    assert fit_temperature(1e-3 * np.eye(2), labels) == pytest.approx(0.25)  # always right
    assert fit_temperature(50 * np.eye(2), 1 - labels) == pytest.approx(8)  # always wrong
    assert fit_temperature(np.zeros((2, 2)), labels) == 1


@pytest.mark.parametrize(
    ("logits", "labels", "message"),
    [
        (np.zeros((2, 3)), np.array([0]), "expected .N, C. for .N,."),
        (np.zeros((0, 3)), np.array([], int), "N above 0"),
        (np.zeros((1, 3)), np.array([3]), "expected 0 to 2"),
        (np.array([[0, np.nan]]), np.array([0]), "finite|nan"),
    ],
)
def test_arrays_that_do_not_match_are_refused(logits, labels, message):
    with pytest.raises(DataError, match=message):
        fit_temperature(logits, labels)


def test_impossible_confidences_and_bins_are_refused():
    with pytest.raises(DataError, match="expected 0 to 1"):
        reliability(np.array([1.5]), np.array([True]))
    with pytest.raises(ConfigError, match="at least 1"):
        reliability(np.array([0.5]), np.array([True]), 0)
