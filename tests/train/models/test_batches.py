"""The arguments for `fit` and `predict` lead to the same weights as arrays do, without a tuning thread."""

import numpy as np
import pytest

pytestmark = pytest.mark.train

import keras  # noqa: E402

from train.models.batches import keras_inputs  # noqa: E402

_COUNT, _BATCH = 70, 16


@pytest.fixture
def rows():
    random = np.random.default_rng(3)
    images = random.integers(0, 256, (_COUNT, 6, 6, 1), dtype=np.uint8)
    targets = random.dirichlet(np.ones(3), _COUNT).astype(np.float32)
    return images, targets, random.random(_COUNT).astype(np.float32)


def net():
    keras.utils.set_random_seed(1)
    layers = [keras.layers.Conv2D(4, 3), keras.layers.BatchNormalization(), keras.layers.Flatten()]
    model = keras.Sequential([keras.Input((6, 6, 1)), *layers, keras.layers.Dense(3)])
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss, metrics=["accuracy"])
    return model


@pytest.mark.parametrize("weighted", [False, True])
def test_trains_as_on_arrays_bit_for_bit(rows, weighted):
    images, targets, weights = rows
    weights = weights if weighted else None
    one, other = net(), net()
    options = {"shuffle": False, "verbose": 0, "epochs": 3}
    expected = one.fit(images, targets, sample_weight=weights, batch_size=_BATCH, **options).history
    assert other.fit(**keras_inputs(_BATCH, images, targets, weights), **options).history == expected
    for left, right in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)
    if weighted:  # the weights have an effect
        assert expected["loss"] != net().fit(images, targets, batch_size=_BATCH, **options).history["loss"]


def test_predicts_as_on_arrays(rows):
    images, model = rows[0], net()
    expected = model.predict(images, batch_size=_BATCH, verbose=0)
    logits = model.predict(**keras_inputs(_BATCH, images), verbose=0)
    assert logits.shape == (_COUNT, 3)
    np.testing.assert_array_equal(logits, expected)


def test_the_pipeline_does_not_tune_itself(rows):
    for arrays in (rows[:1], rows[:2], rows):
        assert keras_inputs(_BATCH, *arrays)["x"].options().autotune.enabled is False


def test_other_backends_get_the_arrays(rows, monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    images, targets, weights = rows
    assert keras_inputs(_BATCH, images) == {"x": images, "batch_size": _BATCH}
    assert keras_inputs(_BATCH, images, targets, weights) == {
        **{"x": images, "y": targets, "sample_weight": weights, "batch_size": _BATCH}
    }
