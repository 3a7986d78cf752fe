"""What is converted computes what was trained: without BatchNorm, and with channels of like range."""

import numpy as np
import pytest

pytestmark = pytest.mark.train

import keras  # noqa: E402
from keras import layers  # noqa: E402

from quantize.conversion.batchnorm_folding import folded  # noqa: E402
from quantize.conversion.equalization import equalize  # noqa: E402
from train.models.sepnet import build  # noqa: E402
from train.models.spec import NetSpec, ReferenceSpec, Stage  # noqa: E402

SPEC = NetSpec(
    stem=6, stages=(Stage(8, 2, 1, repeats=2), Stage(10, 1, repeats=3)), head=5, classes=7, size=16
)
PIXELS = np.random.default_rng(1).uniform(-1, 1, (20, 16, 16, 1)).astype(np.float32)


def spoil(model):
    """Nothing at its initial value, and channels of a hundredfold difference in range."""
    random = np.random.default_rng(0)
    for weight in model.weights:
        if weight.path.endswith("moving_variance"):
            weight.assign(random.uniform(0.5, 2.0, weight.shape))
        elif weight.path.endswith("gamma"):
            weight.assign(10 ** random.uniform(-1, 1, weight.shape))
        else:
            weight.assign(random.normal(0, 0.4, weight.shape))
    return model


@pytest.fixture(scope="module")
def body():
    return spoil(build(SPEC)).get_layer("body")


def kinds(body):
    return {type(layer).__name__ for layer in body.layers}


def spread(body, name, pixels=PIXELS):
    """Largest over smallest range of a layer's channels."""
    values = keras.Model(body.input, body.get_layer(name).output)(pixels)
    ranges = np.abs(np.asarray(values)).max(axis=(1, 2)).mean(axis=0)
    return ranges[ranges > 0].max() / ranges[ranges > 0].min()


def test_a_folded_network_computes_the_same(body):
    new = folded(body)
    assert "BatchNormalization" in kinds(body) - kinds(new)
    expected = np.asarray(body(PIXELS, training=False))
    np.testing.assert_allclose(np.asarray(new(PIXELS)), expected, atol=1e-5 * np.abs(expected).max())


def test_norms_before_shared_kernels_become_depthwise_and_others_vanish(body):
    new = folded(body)
    assert isinstance(new.get_layer("stage1_repeated_bn2"), layers.DepthwiseConv2D)
    assert isinstance(new.get_layer("stage1_block0_bn"), layers.Identity)
    assert new.get_layer("stage1_block0_pointwise").use_bias
    assert not new.get_layer("stage1_repeated_pointwise").use_bias


def test_a_maker_that_something_else_reads_too_is_left_alone():
    pixels = keras.Input((8, 8, 1))
    made = layers.Conv2D(4, 3, name="made")(pixels)
    out = layers.Add()([layers.BatchNormalization(name="norm")(made), made])
    body = spoil(keras.Model(pixels, out))
    new = folded(body)
    assert isinstance(new.get_layer("norm"), layers.DepthwiseConv2D)
    np.testing.assert_allclose(
        np.asarray(new(PIXELS[:, :8, :8])), np.asarray(body(PIXELS[:, :8, :8])), atol=1e-4
    )


@pytest.mark.parametrize("architecture", ["mini_xception", "gender_small", "two_blocks"])
def test_published_networks_are_folded_and_made_even_as_well(architecture):
    model = spoil(build(ReferenceSpec(architecture, 7)))
    body = model.get_layer("body")
    pixels = np.random.default_rng(2).uniform(-1, 1, (4, *body.input_shape[1:])).astype(np.float32)
    expected = np.asarray(body(pixels, training=False))
    new = folded(body)
    equalize(new, pixels)
    np.testing.assert_allclose(
        np.asarray(new(pixels)), expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max()
    )


def test_channels_come_out_of_like_range_and_the_answers_stay(body):
    new = folded(body)
    before = np.asarray(new(PIXELS))
    rows = ("stem_relu", "stage1_block0_depthwise")
    uneven = {name: spread(new, name) for name in rows}
    equalize(new, PIXELS)
    np.testing.assert_allclose(np.asarray(new(PIXELS)), before, atol=1e-4 * np.abs(before).max())
    for name, was in uneven.items():
        assert spread(new, name) < 3 < was, name


def test_half_of_the_way_lies_in_between(body):
    spreads = []
    for share in (0.0, 0.5, 1.0):
        new = folded(body)
        equalize(new, PIXELS, share)
        spreads.append(spread(new, "stem_relu"))
    assert spreads[0] > spreads[1] > spreads[2]


def test_a_channel_that_never_lives_leaves_the_others_alone(body):
    new = folded(body)
    stem = new.get_layer("stem")
    kernel, bias = (np.array(weight) for weight in stem.get_weights())
    kernel[..., 2], bias[2] = 0, -1
    stem.set_weights([kernel, bias])
    before = np.asarray(new(PIXELS))
    equalize(new, PIXELS)
    assert all(np.isfinite(weight).all() for weight in new.get_weights())
    np.testing.assert_allclose(np.asarray(new(PIXELS)), before, atol=1e-4 * np.abs(before).max())


def test_beside_what_is_no_scaling_channels_stay_as_they_are():
    pixels = keras.Input((8, 8, 1))
    x = layers.Conv2D(4, 3, name="first")(pixels)
    x = layers.Conv2D(4, 3, name="second")(layers.Activation("sigmoid")(x))
    body = spoil(keras.Model(pixels, layers.Conv2D(4, 3, name="third")(layers.ReLU()(x))))
    first, third = body.get_layer("first").get_weights(), body.get_layer("third").get_weights()
    equalize(body, PIXELS[:, :8, :8])
    for one, other in zip(first, body.get_layer("first").get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert np.abs(third[0] - body.get_layer("third").get_weights()[0]).max() > 0
