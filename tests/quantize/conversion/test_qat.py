"""Training with rounding brings a network nearer to its own outputs without rounding."""

import numpy as np
import pytest

pytestmark = pytest.mark.train

from quantize.conversion import fake_quant, qat  # noqa: E402
from quantize.conversion.converter import prepare, range_pixels, scale_pixels  # noqa: E402
from quantize.conversion.fake_quant import FakeQuantModel  # noqa: E402
from quantize.conversion.qat import detection_divergence, finetune, score_divergence  # noqa: E402
from quantize.conversion.tta import TestTimeAugmentation  # noqa: E402
from train.evaluation.predictions import predict  # noqa: E402
from train.runs.lookup import load_checkpoint  # noqa: E402


def spy_on_predict(monkeypatch):
    """Returns a list to which the images that the network's own scores are computed for are added."""
    inputs = []

    def spy(model, images):
        inputs.append(images)
        return predict(model, images)

    monkeypatch.setattr(qat, "predict", spy)
    return inputs


def test_training_reduces_the_error_of_rounding(run, toy, monkeypatch):
    monkeypatch.setattr(
        fake_quant, "_LARGEST_WEIGHT", 3
    )  # as with 3 bits: 8 bits leave little to gain on the toy set
    monkeypatch.setattr("quantize.conversion.qat._RATE", 1e-3)  # the toy set has few steps
    model, calibration = load_checkpoint(run), toy.images[:70]
    before = [weight.copy() for weight in model.get_weights()]
    images = np.tile(toy.part("train").images, (6, 1, 1))
    tta = TestTimeAugmentation(mirror=True)

    def tune():
        tuned = prepare(model, calibration, tta)
        finetune(model, tuned, tta.views(images), range_pixels(model, calibration, tta), score_divergence)
        return tuned

    tuned = tune()
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    inputs = spy_on_predict(monkeypatch)
    again = tune()
    originals = {image.tobytes() for image in images}
    share_mirrored = np.mean([image.tobytes() not in originals for image in inputs[0][..., 0]])
    assert 0.4 < share_mirrored < 0.6  # one of the two views is drawn for each image
    for one, other in zip(tuned.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)

    validation = toy.part("val").images
    expected = predict(model, validation[..., np.newaxis])

    def error(network):
        rounded = FakeQuantModel(network.get_layer("body"), scale_pixels(model, calibration))
        return np.square(rounded.predict(scale_pixels(model, validation), verbose=0) - expected).mean()

    assert error(tuned) < 0.8 * error(prepare(model, calibration, tta))


def test_a_detections_place_counts_as_much_as_its_face_is_likely():
    targets = np.array([[4.0, 0, 0], [-4.0, 0, 0]], np.float32)
    moved = targets + np.array([0, 2, 0], np.float32)
    likely, unlikely = np.array(detection_divergence(targets, moved))
    score = 1 / (1 + np.exp(-4.0))
    np.testing.assert_allclose([likely, unlikely], [2 * score, 2 * (1 - score)], rtol=1e-5)
    maps = np.zeros((2, 3, 3, 4), np.float32)
    np.testing.assert_array_equal(np.array(detection_divergence(maps, maps)), [0, 0])
    changed = maps.copy()
    changed[1, 2, 0, 0] = 1.5  # one cell of nine
    by_hand = 0.5 * np.log(0.5 * (1 + np.exp(-1.5))) + 0.5 * np.log(0.5 * (1 + np.exp(1.5)))
    np.testing.assert_allclose(np.array(detection_divergence(maps, changed)), [0, by_hand / 9], rtol=1e-5)
