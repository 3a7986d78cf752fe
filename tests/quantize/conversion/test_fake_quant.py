"""Rounding to the grids of int8, imitated in float."""

import numpy as np
import pytest

pytestmark = pytest.mark.train

import keras  # noqa: E402

from edge.inference.preprocess import normalize_face  # noqa: E402
from quantize.conversion.converter import prepare, scale_pixels, to_int8  # noqa: E402
from quantize.conversion.fake_quant import FakeQuant, FakeQuantModel  # noqa: E402
from tests.support.int8 import int8_logits  # noqa: E402
from train.evaluation.predictions import predict  # noqa: E402
from train.runs.lookup import load_checkpoint  # noqa: E402


def test_an_activation_is_one_of_256_values_and_passes_gradients_within_its_range():
    import tensorflow as tf

    values = tf.constant(np.linspace(-3, 3, 1001, dtype=np.float32))
    with tf.GradientTape() as tape:
        tape.watch(values)
        rounded = FakeQuant(-1.0, 2.0)(values)
    step = 3 / 255
    np.testing.assert_allclose(rounded / step, np.round(rounded / step), atol=1e-3)
    assert len(np.unique(rounded)) == 256
    inside = (values > -0.99) & (values < 1.99)
    assert float(np.abs(rounded - values)[inside].max()) <= step / 2 + 1e-6
    slopes = tape.gradient(rounded, values).numpy()
    assert set(slopes[inside]) == {1.0}
    assert set(slopes[(values < -1.02) | (values > 2.02)]) == {0.0}


def test_weights_have_a_step_for_each_output_channel():
    pixels = np.random.default_rng(0).normal(size=(8, 6, 6, 1)).astype(np.float32)
    entry = keras.Input((6, 6, 1))
    wide = keras.layers.Conv2D(2, 3, use_bias=False, name="wide")(entry)
    deep = keras.layers.DepthwiseConv2D(3, use_bias=False, name="deep")(wide)
    body = keras.Model(entry, deep)
    body.get_layer("wide").set_weights([np.float32(body.get_layer("wide").get_weights()[0] * [1, 1000])])
    exact = body(pixels).numpy()
    rounded = FakeQuantModel(body, pixels)(pixels).numpy()
    for channel in (0, 1):  # with one step for both, the first would be all zero
        power = np.square(exact[..., channel]).mean()
        assert (
            0
            < np.square(rounded[..., channel] - exact[..., channel]).mean()
            < power * (1e-2 if channel else 4)
        )
    (kernel,) = body.get_layer("wide").get_weights()
    assert len(np.unique(kernel)) == 18  # the weights themselves are not rounded


def test_a_rounded_network_predicts_the_outputs_of_its_file(run, toy):
    crops = np.stack([normalize_face(image) for image in toy.images[:170]])
    model, calibration, images = load_checkpoint(run), crops[:70], crops[70:]
    ready = prepare(model, calibration)
    rounded = FakeQuantModel(ready.get_layer("body"), scale_pixels(model, calibration[::4]))
    predicted = rounded.predict(scale_pixels(model, images), verbose=0)
    int8, unrounded = (
        int8_logits(to_int8(model, calibration), images),
        predict(model, images[..., np.newaxis]),
    )
    assert np.abs(predicted - int8).mean() < np.abs(unrounded - int8).mean()
    # What rounding changes is nearly the same in both.
    assert np.corrcoef((predicted - unrounded).ravel(), (int8 - unrounded).ravel())[0, 1] > 0.75
