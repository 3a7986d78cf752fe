"""Predictions of a network, and their evaluation."""

import numpy as np
import pytest

pytestmark = pytest.mark.train

import keras  # noqa: E402

from train.data import Dataset  # noqa: E402
from train.evaluation.predictions import evaluate_logits, evaluate_model, predict  # noqa: E402

ROWS = Dataset(
    "toy",
    np.array([[[0]], [[9]], [[200]]], np.uint8),
    np.array([0, 1, 0]),
    ("dark", "bright"),
    ("x", "y", "z"),
    np.array(["val"] * 3),
)


@pytest.fixture(scope="module")
def model():
    """A network whose logits are 100 and the pixel: "bright" from 101 on."""
    dense = keras.layers.Dense(2)
    network = keras.Sequential([keras.Input((1, 1, 1)), keras.layers.Flatten(), dense])
    dense.set_weights([np.array([[0.0, 1.0]]), np.array([100.0, 0.0])])
    return network


def test_logits_come_in_the_order_of_the_rows(model):
    logits = predict(model, ROWS.images[..., np.newaxis])
    assert logits.dtype == np.float32
    assert logits.tolist() == [[100, 0], [100, 9], [100, 200]]


def test_the_highest_logit_is_the_prediction(model):
    evaluation = evaluate_model(model, ROWS.images[..., np.newaxis], ROWS, "val")
    assert evaluation.split == "toy val"
    assert evaluation.label_names == ("dark", "bright")
    # Row: label. The second image is dark, the third bright, against their labels.
    assert evaluation.confusion.tolist() == [[1, 1], [1, 0]]
    logits = np.array([[0, 1], [0, 1], [1, 0]], dtype=np.float32)
    assert evaluate_logits(logits, ROWS, "test").confusion.tolist() == [[1, 1], [0, 1]]
