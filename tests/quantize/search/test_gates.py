"""Gates are 0 or 1 most of the time, and can be trained by back-propagation."""

import numpy as np
import pytest

pytestmark = pytest.mark.train

import keras  # noqa: E402

from quantize.search.gated_net import build_gated  # noqa: E402
from quantize.search.gates import LagrangeMultiplier, open_probability, sample_gates  # noqa: E402
from quantize.search.structure import stored_parameters  # noqa: E402
from tests.support.gated import LAYOUT, WIDEST  # noqa: E402
from train.models.gradients import gradients_of  # noqa: E402

LOG_ALPHA = np.array([-4.0, -1.0, 0.0, 1.0, 4.0], np.float32)


def test_the_share_of_gates_that_are_not_0_is_the_expected_norm():
    uniform = np.random.default_rng(0).uniform(1e-6, 1 - 1e-6, (40_000, 5)).astype(np.float32)
    gates = np.asarray(sample_gates(LOG_ALPHA, uniform))
    assert gates.min() == 0 and gates.max() == 1
    np.testing.assert_allclose((gates > 0).mean(axis=0), open_probability(LOG_ALPHA), atol=0.01)
    # By the paper's equation, and not by this package's function alone.
    expected = 1 / (1 + np.exp(-(LOG_ALPHA - 2 / 3 * np.log(0.1 / 1.1))))
    np.testing.assert_allclose(open_probability(LOG_ALPHA), expected, rtol=1e-5)
    assert np.isin(gates[:, [0, 4]], (0, 1)).mean() > 0.85


def test_the_loss_has_a_gradient_for_every_gate_of_a_network():
    keras.utils.set_random_seed(1)
    net = build_gated(LAYOUT)
    log_alpha = keras.Variable(np.zeros(LAYOUT.size, np.float32))
    uniform = np.full(LAYOUT.size, 0.5, np.float32)

    def loss(pixels):
        gates = sample_gates(log_alpha, uniform)
        return keras.ops.mean(net([pixels, gates[None]], training=True) ** 2)

    pixels = np.random.default_rng(0).uniform(0, 255, (4, 16, 16, 1)).astype(np.float32)
    (gradient,), _ = gradients_of(loss, pixels, [log_alpha])
    for name, where in LAYOUT.slices.items():
        assert (np.abs(gradient[where]) > 0).mean() > 0.6, name

    def price(_):
        probabilities = open_probability(log_alpha)
        return stored_parameters(LAYOUT.split(probabilities[None]), WIDEST)

    (gradient,), _ = gradients_of(price, pixels, [log_alpha])
    assert (gradient > 0).all()


def test_the_multiplier_rises_while_the_price_is_too_high_and_falls_below():
    multiplier = LagrangeMultiplier(rate=0.5, stiffness=2.0)
    assert float(multiplier.penalty(3.0)) == 9.0
    multiplier.rise(3.0)
    assert float(multiplier.value) == 1.5
    assert float(multiplier.penalty(2.0)) == 3.0 + 4.0
    multiplier.rise(-1.0)
    assert float(multiplier.value) == 1.0
    multiplier.rise(-9.0)
    assert float(multiplier.value) == 0.0
