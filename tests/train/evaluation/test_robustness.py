"""Accuracy and calibration by corruption."""

from dataclasses import replace

import numpy as np
import pytest

pytestmark = pytest.mark.train

from edge.inference.preprocess import normalize_face  # noqa: E402
from train.evaluation.corruptions import CAMERA_ROWS, CORRUPTIONS, corrupt  # noqa: E402
from train.evaluation.robustness import measure_robustness  # noqa: E402


def test_a_network_is_given_every_corruption_after_its_crops_were_made_even(toy, toy_recipe):
    given = []

    def score(crops):
        given.append(crops)
        # Right by half of the confidence on clean images, wrong on all others.
        labels = toy.part("val").labels
        right = labels if len(given) == 1 else (labels + 1) % 7
        scores = np.full((len(crops), 7), 0.5 / 6)
        scores[np.arange(len(crops)), right] = 0.5
        return scores

    result = measure_robustness(toy, toy_recipe.crop, score, seed=5)
    assert list(result.figures) == list(CORRUPTIONS)
    assert (result.split, result.count) == ("toy val", 140)
    images = toy.part("val").images
    for crops, name in zip(given, CORRUPTIONS, strict=True):
        spoiled = corrupt(images, name, 5)
        np.testing.assert_array_equal(crops, np.stack([normalize_face(image) for image in spoiled]))
    assert result.figures["clean"].accuracy == 1
    assert result.figures["noise 16"].accuracy == 0
    for each in result.figures.values():
        assert each.calibration_error == pytest.approx(0.5)
    assert result.camera_accuracy == pytest.approx(1 / len(CAMERA_ROWS))
    content = result.to_dict()
    assert content["camera_accuracy"] == round(1 / len(CAMERA_ROWS), 4)
    assert content["corruptions"]["clean"] == {"accuracy": 1.0, "calibration_error": 0.5}


def test_images_with_boxes_are_cropped_first(toy, toy_recipe):
    boxes = np.tile(np.array([2, 2, 12, 12], np.int32), (len(toy), 1))
    sizes = set()

    def score(crops):
        sizes.add(crops.shape)
        return np.full((len(crops), 7), 1 / 7)

    measure_robustness(replace(toy, boxes=boxes), replace(toy_recipe.crop, size=24), score)
    assert sizes == {(140, 24, 24)}
