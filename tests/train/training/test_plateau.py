"""The rate that falls must fall as Keras' own callback lets it, also after a run was broken off."""

import csv
from dataclasses import replace
from unittest import mock

import numpy as np
import pytest

from train.training import plateau
from train.training.plateau import plateau_rate

pytestmark = pytest.mark.train


@pytest.mark.parametrize("seed", range(3))
def test_it_falls_as_keras_lets_it(seed):
    import keras

    # Falls, rises and stands still by less than counts, for as long as it takes to fall more than once.
    steps = np.random.default_rng(seed).choice([-0.02, -0.00008, 0.0, 0.015], 150)
    losses = (2 + np.cumsum(steps)).tolist()
    optimizer = keras.optimizers.SGD(1e-3)
    callback = keras.callbacks.ReduceLROnPlateau(monitor="val_loss", factor=0.1, patience=12, verbose=0)
    callback.set_model(mock.Mock(optimizer=optimizer, metrics=[]))
    callback.on_train_begin()
    found, expected = [], []
    for epoch, loss in enumerate(losses):
        found.append(plateau_rate(1e-3, losses[:epoch]))
        expected.append(float(optimizer.learning_rate))
        callback.on_epoch_end(epoch, {"val_loss": loss})
    assert found == pytest.approx(expected, rel=1e-5)
    assert found[-1] < 0.02 * found[0]


def test_a_run_that_was_broken_off_falls_as_the_whole_one(broken_off, toy, toy_recipe, tmp_path, monkeypatch):
    from train.training.fit import fit

    monkeypatch.setattr(plateau, "_PATIENCE", 1)
    # So high a rate that the loss rises.
    recipe = replace(toy_recipe, schedule="plateau", optimizer="adam", learning_rate=0.3)
    whole = fit(recipe, toy, tmp_path / "whole")
    with broken_off("broken 2/4"):
        fit(recipe, toy, tmp_path / "broken")
    resumed = fit(recipe, toy, tmp_path / "broken")
    for left, right in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)
    for name in ("whole", "broken"):
        with (tmp_path / name / "log.csv").open(newline="") as text:
            rows = list(csv.DictReader(text))
        losses = [float(row["val_loss"]) for row in rows]
        rates = [float(row["learning_rate"]) for row in rows]
        assert rates == pytest.approx([plateau_rate(0.3, losses[:epoch]) for epoch in range(4)], rel=1e-5)
        assert rates[-1] < rates[0]
