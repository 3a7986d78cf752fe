"""Channels are scaled so that what rounding adds to the outputs is least."""

import numpy as np
import pytest

pytestmark = pytest.mark.train

import keras  # noqa: E402
from keras import layers  # noqa: E402

from quantize.conversion.batchnorm_folding import folded  # noqa: E402
from quantize.conversion.channel_noise import (  # noqa: E402
    ChannelNoise,
    channel_noise,
    least_noise_factors,
)
from quantize.conversion.equalization import equalize  # noqa: E402
from quantize.conversion.fake_quant import FakeQuantModel  # noqa: E402
from quantize.conversion.tensor_graph import scale_groups  # noqa: E402
from tests.support.random_weights import randomize_weights  # noqa: E402
from train.models.sepnet import build  # noqa: E402
from train.models.spec import NetSpec, Stage  # noqa: E402

RANDOM = np.random.default_rng(4)
PIXELS = RANDOM.uniform(-1, 1, (400, 3, 3, 1)).astype(np.float32)


def noise_of(ranges, gains, factors):
    """The noise of the outputs, but for a constant, written out."""
    return sum(
        max(f * r for f, r in zip(factors, tensor, strict=True)) ** 2
        * sum(g / f**2 for f, g in zip(factors, gain, strict=True))
        for tensor, gain in zip(ranges, gains, strict=True)
    )


def test_the_channels_of_a_single_tensor_get_the_same_range():
    ranges, gains = RANDOM.uniform(0.1, 5, (1, 6)), RANDOM.uniform(0, 9, (1, 6))
    reached = least_noise_factors(ChannelNoise(ranges, gains)) * ranges[0]
    np.testing.assert_allclose(reached, reached[0])


def test_no_random_factors_make_less_noise():
    for _ in range(5):
        ranges, gains = RANDOM.uniform(0.1, 5, (3, 4)), RANDOM.uniform(0, 9, (3, 4)) ** 2
        best = least_noise_factors(ChannelNoise(ranges, gains))
        least = noise_of(ranges, gains, best)
        assert least <= noise_of(ranges, gains, 1 / ranges.max(axis=0)) * (1 + 1e-9)
        for _ in range(2000):
            tried = best * np.exp(RANDOM.normal(0, RANDOM.choice([0.02, 0.2, 1.0]), 4))
            assert noise_of(ranges, gains, tried) > 0.99 * least


def test_a_channel_that_a_tensor_does_not_have_is_not_held_back_by_it():
    ranges = np.array([[1.0, 0.0], [1.0, 2.0]])
    gains = np.array([[1.0, 0.0], [1.0, 1.0]])
    factors = least_noise_factors(ChannelNoise(ranges, gains))
    assert np.isfinite(factors).all()
    assert noise_of(ranges, gains, factors) <= noise_of(ranges, gains, 1 / ranges.max(axis=0))


def test_a_gain_is_how_far_an_error_moves_the_differences_of_the_outputs():
    pixels = keras.Input((3, 3, 1))
    hidden = layers.Conv2D(2, 1, name="hidden")(pixels)
    body = keras.Model(pixels, layers.Dense(3, name="last")(layers.Flatten()(hidden)))
    kernel = body.get_layer("last").get_weights()[0].reshape(9, 2, 3)
    groups = scale_groups(body)
    # A Flatten of more than one place mixes channels with places: such a group is not scaled.
    assert channel_noise(body, groups, PIXELS) == {}

    outputs = layers.Conv2D(3, 3, name="last")(hidden)
    body = keras.Model(pixels, layers.Reshape((3,))(outputs))
    kernel = body.get_layer("last").get_weights()[0]  # (3, 3, 2, 3)
    (noise,) = channel_noise(body, scale_groups(body), PIXELS).values()
    centred = kernel - kernel.mean(axis=-1, keepdims=True)
    np.testing.assert_allclose(noise.gains[0], np.square(centred).sum(axis=(0, 1, 3)), rtol=0.15)
    values = np.abs(keras.Model(pixels, hidden)(PIXELS))
    np.testing.assert_allclose(noise.ranges[0], values.max(axis=(1, 2)).mean(axis=0), rtol=1e-5)


def test_rounding_a_residual_stream_adds_less_noise_than_with_the_widest_ranges():
    spec = NetSpec(stem=6, stages=(Stage(8, 1, 1, repeats=4),), head=5, classes=7, size=16)
    pixels = RANDOM.uniform(-1, 1, (64, 16, 16, 1)).astype(np.float32)
    body = randomize_weights(build(spec)).get_layer("body")
    # What is added grows from block to block, as in trained networks.
    pointwise = body.get_layer("stage0_repeated_pointwise")
    pointwise.set_weights([3 * weight for weight in pointwise.get_weights()])

    def error(by_noise):
        network = folded(body)
        exact = np.asarray(network(pixels))
        equalize(network, pixels, by_noise)
        moved = np.asarray(FakeQuantModel(network, pixels)(pixels)) - exact
        return np.square(moved - moved.mean(axis=-1, keepdims=True)).mean()

    assert error(by_noise=True) < 0.8 * error(by_noise=False)
