"""Equalized channels are of like range, and the network computes the same."""

import numpy as np
import pytest

pytestmark = pytest.mark.train

import keras  # noqa: E402
from keras import layers  # noqa: E402

from quantize.conversion.batchnorm_folding import folded  # noqa: E402
from quantize.conversion.equalization import equalize  # noqa: E402
from tests.support.random_weights import randomize_weights  # noqa: E402
from train.models.sepnet import build  # noqa: E402
from train.models.spec import NetSpec, Stage  # noqa: E402

SPEC = NetSpec(
    stem=6, stages=(Stage(8, 2, 1, repeats=2), Stage(10, 1, repeats=3)), head=5, classes=7, size=16
)
PIXELS = np.random.default_rng(1).uniform(-1, 1, (20, 16, 16, 1)).astype(np.float32)


@pytest.fixture(scope="module")
def body():
    return randomize_weights(build(SPEC)).get_layer("body")


def spread(body, name, pixels=PIXELS):
    """Largest over smallest range of a layer's channels."""
    values = keras.Model(body.input, body.get_layer(name).output)(pixels)
    ranges = np.abs(np.asarray(values)).max(axis=(1, 2)).mean(axis=0)
    return ranges[ranges > 0].max() / ranges[ranges > 0].min()


@pytest.mark.parametrize("by_noise", [False, True])
def test_channels_are_of_like_range_and_the_outputs_stay(body, by_noise):
    new = folded(body)
    before = np.asarray(new(PIXELS))
    rows = ("stem_relu", "stage1_block0_depthwise")
    uneven = {name: spread(new, name) for name in rows}
    equalize(new, PIXELS, by_noise)
    np.testing.assert_allclose(np.asarray(new(PIXELS)), before, atol=1e-4 * np.abs(before).max())
    for name, was in uneven.items():
        assert spread(new, name) < 3 < was, name


@pytest.mark.parametrize("by_noise", [False, True])
def test_a_dead_channel_does_not_affect_the_others(body, by_noise):
    new = folded(body)
    stem = new.get_layer("stem")
    kernel, bias = (np.array(weight) for weight in stem.get_weights())
    kernel[..., 2], bias[2] = 0, -1
    stem.set_weights([kernel, bias])
    before = np.asarray(new(PIXELS))
    equalize(new, PIXELS, by_noise)
    assert all(np.isfinite(weight).all() for weight in new.get_weights())
    np.testing.assert_allclose(np.asarray(new(PIXELS)), before, atol=1e-4 * np.abs(before).max())


def test_channels_next_to_a_sigmoid_stay_as_they_are():
    pixels = keras.Input((8, 8, 1))
    x = layers.Conv2D(4, 3, name="first")(pixels)
    x = layers.Conv2D(4, 3, name="second")(layers.Activation("sigmoid")(x))
    body = randomize_weights(keras.Model(pixels, layers.Conv2D(4, 3, name="third")(layers.ReLU()(x))))
    first, third = body.get_layer("first").get_weights(), body.get_layer("third").get_weights()
    equalize(body, PIXELS[:, :8, :8])
    for one, other in zip(first, body.get_layer("first").get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert np.abs(third[0] - body.get_layer("third").get_weights()[0]).max() > 0
