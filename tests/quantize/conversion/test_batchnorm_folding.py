"""A network without BatchNorm computes the same."""

import numpy as np
import pytest

pytestmark = pytest.mark.train

import keras  # noqa: E402
from keras import layers  # noqa: E402

from quantize.conversion.batchnorm_folding import folded  # noqa: E402
from quantize.conversion.equalization import equalize  # noqa: E402
from tests.support.random_weights import randomize_weights  # noqa: E402
from train.models.sepnet import build  # noqa: E402
from train.models.spec import NetSpec, ReferenceSpec, Stage  # noqa: E402

SPEC = NetSpec(
    stem=6, stages=(Stage(8, 2, 1, repeats=2), Stage(10, 1, repeats=3)), head=5, classes=7, size=16
)
PIXELS = np.random.default_rng(1).uniform(-1, 1, (20, 16, 16, 1)).astype(np.float32)


@pytest.fixture(scope="module")
def body():
    return randomize_weights(build(SPEC)).get_layer("body")


def kinds(body):
    return {type(layer).__name__ for layer in body.layers}


def test_a_folded_network_computes_the_same(body):
    new = folded(body)
    assert "BatchNormalization" in kinds(body) - kinds(new)
    expected = np.asarray(body(PIXELS, training=False))
    np.testing.assert_allclose(np.asarray(new(PIXELS)), expected, atol=1e-5 * np.abs(expected).max())


def test_norms_before_shared_kernels_become_depthwise_and_others_are_folded(body):
    new = folded(body)
    assert isinstance(new.get_layer("stage1_repeated_bn2"), layers.DepthwiseConv2D)
    assert isinstance(new.get_layer("stage1_block0_bn"), layers.Identity)
    assert new.get_layer("stage1_block0_pointwise").use_bias
    assert not new.get_layer("stage1_repeated_pointwise").use_bias


def test_a_convolution_whose_output_something_else_reads_is_left_alone():
    pixels = keras.Input((8, 8, 1))
    made = layers.Conv2D(4, 3, name="made")(pixels)
    out = layers.Add()([layers.BatchNormalization(name="norm")(made), made])
    body = randomize_weights(keras.Model(pixels, out))
    new = folded(body)
    assert isinstance(new.get_layer("norm"), layers.DepthwiseConv2D)
    np.testing.assert_allclose(
        np.asarray(new(PIXELS[:, :8, :8])), np.asarray(body(PIXELS[:, :8, :8])), atol=1e-4
    )


@pytest.mark.parametrize("architecture", ["mini_xception", "gender_small", "two_blocks"])
def test_published_networks_are_folded_and_equalized_too(architecture):
    model = randomize_weights(build(ReferenceSpec(architecture, 7)))
    body = model.get_layer("body")
    pixels = np.random.default_rng(2).uniform(-1, 1, (4, *body.input_shape[1:])).astype(np.float32)
    expected = np.asarray(body(pixels, training=False))
    new = folded(body)
    equalize(new, pixels)
    np.testing.assert_allclose(
        np.asarray(new(pixels)), expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max()
    )
