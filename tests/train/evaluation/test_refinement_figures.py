"""Figures of refinement networks, from outputs that are known."""

import json

import numpy as np
import pytest

from train.crops.refinement import FACE, ROLL_COS, ROLL_SIN, SIZE, YAW
from train.crops.validation import refinement_validation
from train.evaluation.refinement_figures import refinement_figures


@pytest.fixture(scope="module")
def crops(toy_sources):
    return refinement_validation(toy_sources("val"), 32, 400)


def perfect(crops):
    outputs = crops.targets[:, : YAW + 1].copy()
    outputs[:, FACE] = np.where(crops.targets[:, FACE] > 0, 5, -5)
    return outputs


def test_a_network_without_errors(crops):
    figures = refinement_figures(lambda _: perfect(crops), crops)
    assert (figures.crops, figures.faces) == (400, 200)
    assert figures.auc == 1
    assert figures.recall(0.01) == figures.recall(0.001) == figures.log_average_recall == 1
    assert set(figures.errors.values()) == {0}
    assert all(band.recall["0.01"] in (None, 1) for band in figures.bands)


def test_a_share_of_false_alarms_is_not_exceeded(crops):
    outputs = perfect(crops)
    face = crops.targets[:, FACE] > 0
    # Five of 200 other crops look more like a face than half of the faces.
    outputs[np.flatnonzero(~face)[:5], FACE] = 6
    outputs[np.flatnonzero(face)[:100], FACE] = 7
    figures = refinement_figures(lambda _: outputs, crops)
    for share, recall in ((0.001, 0.5), (0.01, 0.5), (0.02, 0.5), (0.025, 1.0), (0.5, 1.0)):
        assert figures.recall(share) == recall
        exceeding = (figures.other_logits >= figures.threshold(share)).mean()
        assert exceeding <= share
    assert figures.auc == pytest.approx(1 - 0.5 * 5 / 200)
    # Of nine shares from 0.001 to 0.1, the last three are 0.0316, 0.0562 and 0.1.
    assert figures.log_average_recall == pytest.approx((6 * 0.5 + 3) / 9)


def test_equal_logits_are_a_coin_toss(crops):
    outputs = perfect(crops)
    outputs[:, FACE] = 1
    figures = refinement_figures(lambda _: outputs, crops)
    assert figures.auc == 0.5
    assert figures.recall(0.01) == 0


def test_errors_are_in_their_units(crops):
    outputs = perfect(crops)
    outputs[:, 1] += 8 * 0.1
    outputs[:, SIZE] -= 8 * np.log(1.1)
    outputs[:, YAW] += 4 * 0.2
    turn = np.deg2rad(12)
    sine, cosine = outputs[:, ROLL_SIN].copy(), outputs[:, ROLL_COS].copy()
    outputs[:, ROLL_SIN] = sine * np.cos(turn) + cosine * np.sin(turn)
    outputs[:, ROLL_COS] = cosine * np.cos(turn) - sine * np.sin(turn)
    errors = refinement_figures(lambda _: outputs, crops).errors
    assert errors == pytest.approx(
        {"centre": 0.1, "log_side": np.log(1.1), "roll_deg": 12, "yaw": 0.2}, rel=1e-3
    )


def test_the_figures_fit_into_a_json_file(crops):
    figures = refinement_figures(lambda _: perfect(crops), crops).to_dict()
    stored = json.loads(json.dumps(figures, allow_nan=False))
    assert stored["recall_at_false_alarms"] == {"0.01": 1.0, "0.001": 1.0}
    assert stored["bands"]["side 40+"]["count"] == 200
