"""Importance of channels, against derivatives and sums computed by hand."""

import numpy as np
import pytest

from edge.errors import ConfigError

pytestmark = pytest.mark.train

from quantize.pruning.channel_groups import channel_groups  # noqa: E402
from quantize.pruning.importance import (  # noqa: E402
    magnitude_importance,
    random_importance,
    taylor_importance,
)
from tests.support.pruning import scale_inputs  # noqa: E402


@pytest.fixture
def body(net):
    return net.get_layer("body")


def cross_entropy(targets, outputs):
    import keras

    # In float64, as `loss_of` computes it and the network is.
    losses = keras.losses.categorical_crossentropy(targets, outputs, from_logits=True)
    return keras.ops.mean(losses)


@pytest.fixture
def batch():
    random = np.random.default_rng(4)
    pixels = random.uniform(-1, 1, (12, 16, 16, 1)).astype(np.float32)
    targets = random.dirichlet(np.ones(4), 12).astype(np.float32)
    return pixels, targets


def loss_of(body, batch):
    pixels, targets = batch
    logits = np.array(body(pixels, training=False))
    logits -= logits.max(axis=1, keepdims=True)
    return float(-(targets * (logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)))).sum(axis=1).mean())


def test_taylor_is_the_squared_derivative_of_the_loss_by_a_gate(body, batch):
    groups = channel_groups(body)
    importance = taylor_importance(body, groups, [batch], cross_entropy)
    step = 1e-6
    for group in groups:
        for channel in (0, group.width - 1):
            losses = []
            for factor in (1 + step, (1 - step) / (1 + step)):
                scale_inputs(body, group, channel, factor)
                losses.append(loss_of(body, batch))
            scale_inputs(body, group, channel, 1 / (1 - step))
            derivative = (losses[0] - losses[1]) / (2 * step)
            root = importance[group.name][channel] ** 0.5
            assert root == pytest.approx(abs(derivative), rel=1e-3, abs=1e-8)


def test_taylor_averages_squares_and_never_gradients(body, batch):
    groups = channel_groups(body)
    pixels, targets = batch
    other = (pixels[::-1] * 0.5, np.roll(targets, 1, axis=1))
    one, two, both = (
        taylor_importance(body, groups, each, cross_entropy) for each in ([batch], [other], [batch, other])
    )
    for name in one:
        np.testing.assert_allclose(both[name], (one[name] + two[name]) / 2, rtol=1e-5)
    with pytest.raises(ConfigError, match="at least one batch"):
        taylor_importance(body, groups, [], cross_entropy)


def test_a_network_that_diverged_is_refused(body, batch):
    logits = body.get_layer("logits")
    logits.kernel.assign(np.full(logits.kernel.shape, np.nan))
    with pytest.raises(ConfigError, match="no finite gradient"):
        taylor_importance(body, channel_groups(body), [batch], cross_entropy)


def test_magnitude_sums_the_weights_that_compute_a_channel(body):
    importance = magnitude_importance(body, channel_groups(body))
    by_hand = np.abs(np.array(body.get_layer("stem").kernel)).sum(axis=(0, 1, 2))
    np.testing.assert_allclose(importance["stem"], by_hand / by_hand.mean(), rtol=1e-6)
    parts = [
        np.abs(np.array(body.get_layer(f"stage0_{part}_pointwise").kernel)).sum(axis=(0, 1, 2))
        for part in ("block0", "block1", "repeated")
    ]
    stage = np.sum(parts, axis=0)
    np.testing.assert_allclose(importance["stage0_block0_pointwise"], stage / stage.mean(), rtol=1e-6)


def test_random_importance_depends_on_the_seed_alone(body):
    groups = channel_groups(body)
    one, same, other = (random_importance(groups, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one["stem"], same["stem"])
    assert (one["stem"] != other["stem"]).all()
