"""Convolutions as products are the convolutions of Keras, in value and in gradient."""

import jax
import keras
import numpy as np
import pytest

from train.accelerator.convolutions import as_products
from train.models.sepnet import build
from train.models.spec import NetSpec, Spec, Stage, TeacherSpec

SPECS: dict[str, Spec] = {
    "strided blocks": NetSpec(8, (Stage(12, 1, 1, 1), Stage(14, 1, 2, 2)), 6, 7),
    "no strided block": NetSpec(8, (Stage(12, 0, 1, 1), Stage(14, 0, 2, 2)), 6, 7, separable_head=True),
    "teacher": TeacherSpec((4, 8), 7, dropout=0.0),
}


@pytest.mark.parametrize("name", SPECS)
def test_logits_and_gradients_are_those_of_keras(name):
    keras.utils.set_random_seed(1)
    model = build(SPECS[name])
    images = np.random.default_rng(1).uniform(0, 255, (3, 48, 48, 1)).astype(np.float32)
    trainable = [variable.value for variable in model.trainable_variables]
    other = [variable.value for variable in model.non_trainable_variables]

    def loss(weights):
        return (model.stateless_call(weights, other, images, training=True)[0] ** 2).sum()

    expected = jax.value_and_grad(loss)(trainable)
    with as_products():
        value, gradients = jax.value_and_grad(loss)(trainable)
    np.testing.assert_allclose(value, expected[0], rtol=1e-4)
    for gradient, wanted in zip(gradients, expected[1], strict=True):
        scale = max(float(abs(wanted).max()), 1e-3)
        np.testing.assert_allclose(gradient / scale, wanted / scale, atol=1e-3)


def test_keras_has_its_own_convolutions_back_afterwards():
    from keras.src.backend.jax import nn

    before = nn.conv, nn.depthwise_conv
    with as_products():
        assert nn.conv is not before[0]
        assert nn.depthwise_conv is not before[1]
    assert (nn.conv, nn.depthwise_conv) == before
