"""Optimizers and schedules: Muon's steps on 1x1 kernels, Keras' plateau rule, and resumed runs of both."""

import csv
from dataclasses import replace
from unittest import mock

import numpy as np
import pytest

pytestmark = pytest.mark.train

import keras  # noqa: E402
from keras import layers  # noqa: E402

from train.training import optimizers  # noqa: E402
from train.training.fit import fit  # noqa: E402
from train.training.muon import PointwiseMuon  # noqa: E402
from train.training.optimizers import make_optimizer, plateau_rate  # noqa: E402


@pytest.fixture
def net():
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [
            keras.Input((6, 6, 3)),
            layers.Conv2D(16, 1, name="wide"),
            layers.DepthwiseConv2D(3, name="depthwise"),
            layers.Conv2D(8, 1, use_bias=False, name="narrow"),
            layers.Flatten(),
            layers.Dense(2, name="logits"),
        ]
    )


def weights_of(net):
    return {
        f"{layer.name}/{weight.name}": keras.ops.convert_to_numpy(weight).copy()
        for layer in net.layers
        for weight in layer.weights
    }


def test_a_muon_step_is_orthogonal_for_1x1_kernels_and_adamw_moves_the_rest(net):
    random = np.random.default_rng(0)
    rate = 0.016
    net.compile(PointwiseMuon(rate, weight_decay=None), keras.losses.MeanSquaredError())
    before = weights_of(net)
    net.train_on_batch(random.normal(size=(32, 6, 6, 3)), random.normal(size=(32, 2)))
    moved = {name: value - before[name] for name, value in weights_of(net).items()}
    for name in ("wide", "narrow"):
        step = moved[f"{name}/kernel"][0, 0]
        singular = np.linalg.svd(step, compute_uv=False) / (rate * 0.2 * max(step.shape) ** 0.5)
        # Five Newton-Schulz steps bring all directions that have a gradient to about 1.
        assert 0.6 < singular.max() < 1.3
        assert np.median(singular) > 0.5
    for path in ("depthwise/kernel", "logits/kernel", "logits/bias"):
        np.testing.assert_allclose(np.median(np.abs(moved[path])), rate / 4, rtol=0.05)  # Adam's first step


def decayed(net, optimizer):
    """Returns the share that each weight loses in a step with a gradient of zero."""
    net.compile(optimizer, keras.losses.MeanSquaredError())
    for layer in net.layers:  # biases and scales of 0 would show no decay
        layer.set_weights([np.where(weight == 0, 0.5, weight) for weight in layer.get_weights()])
    outputs = net.predict(np.zeros((4, 6, 6, 3)), verbose=0)
    before = weights_of(net)
    net.train_on_batch(np.zeros((4, 6, 6, 3)), outputs)
    return {name: 1 - np.median(value / before[name]) for name, value in weights_of(net).items()}


def test_muon_decays_1x1_kernels_alone(net):
    shares = decayed(net, PointwiseMuon(0.01, weight_decay=0.5, adam_weight_decay=None))
    expected = {name: 0.005 if name in ("wide/kernel", "narrow/kernel") else 0 for name in shares}
    assert shares == pytest.approx(expected, abs=1e-5)


def test_adamw_decays_kernels_and_no_biases(net, toy_recipe):
    recipe = replace(toy_recipe, schedule="constant", learning_rate=0.01, weight_decay=0.5)
    shares = decayed(net, make_optimizer(recipe, 10))
    expected = {name: 0.005 if name.endswith("kernel") else 0 for name in shares}
    assert shares == pytest.approx(expected, abs=1e-5)


def test_the_cosine_rises_over_one_epoch_and_falls_to_a_thousandth(toy_recipe):
    optimizer = make_optimizer(replace(toy_recipe, epochs=5, learning_rate=0.01), 10)
    rates = []
    for step in (0, 5, 10, 30, 50):
        optimizer.iterations.assign(step)
        rates.append(float(optimizer.learning_rate))
    assert rates == pytest.approx([0, 0.005, 0.01, 0.005, 1e-5], rel=0.01, abs=1e-9)


def test_a_checkpoint_names_the_class_by_its_registered_name(net):
    net.compile(PointwiseMuon(0.01), keras.losses.MeanSquaredError())
    held = keras.saving.serialize_keras_object(net.optimizer)
    assert held["registered_name"] == "emotiny>PointwiseMuon"
    # As a checkpoint says that was written when the module had another name.
    again = keras.saving.deserialize_keras_object(held | {"module": "train.muon"})
    assert isinstance(again, PointwiseMuon)


@pytest.mark.parametrize("seed", range(3))
def test_the_plateau_rate_is_that_of_keras_callback(seed):
    # Falls, rises and stands still by less than counts, for as long as it takes to fall more than once.
    steps = np.random.default_rng(seed).choice([-0.02, -0.00008, 0.0, 0.015], 150)
    losses = (2 + np.cumsum(steps)).tolist()
    optimizer = keras.optimizers.SGD(1e-3)
    callback = keras.callbacks.ReduceLROnPlateau(monitor="val_loss", factor=0.1, patience=12, verbose=0)
    callback.set_model(mock.Mock(optimizer=optimizer, metrics=[]))
    callback.on_train_begin()
    computed, expected = [], []
    for epoch, loss in enumerate(losses):
        computed.append(plateau_rate(1e-3, losses[:epoch]))
        expected.append(float(optimizer.learning_rate))
        callback.on_epoch_end(epoch, {"val_loss": loss})
    assert computed == pytest.approx(expected, rel=1e-5)
    assert computed[-1] < 0.02 * computed[0]


def test_a_run_of_muon_on_plateaus_learns_and_resumes_to_the_same_weights(
    interrupted_after, toy, toy_recipe, tmp_path, monkeypatch
):
    monkeypatch.setattr(optimizers, "_PATIENCE", 1)
    recipe = replace(toy_recipe, schedule="plateau", optimizer="muon", learning_rate=0.1)
    # The more is learned, the higher is the loss of wrong labels.
    validation = toy.splits == "val"
    misled = replace(toy, labels=np.where(validation, (toy.labels + 1) % 7, toy.labels))
    whole = fit(recipe, misled, tmp_path / "whole")
    with interrupted_after("broken 2/4"):
        fit(recipe, misled, tmp_path / "broken")
    resumed = fit(recipe, misled, tmp_path / "broken")
    for left, right in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)
    for name in ("whole", "broken"):
        with (tmp_path / name / "log.csv").open(newline="") as text:
            rows = list(csv.DictReader(text))
        losses = [float(row["val_loss"]) for row in rows]
        rates = [float(row["learning_rate"]) for row in rows]
        assert rates == pytest.approx([plateau_rate(0.1, losses[:epoch]) for epoch in range(4)], rel=1e-5)
        assert rates[-1] < rates[0]
        assert float(rows[-1]["loss"]) < float(rows[0]["loss"])
