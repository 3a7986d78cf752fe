"""Muon on 1x1 kernels: orthogonal steps there, AdamW's everywhere else, and a state that can be saved."""

from dataclasses import replace

import numpy as np
import pytest

pytestmark = pytest.mark.train


@pytest.fixture
def net():
    import keras
    from keras import layers

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


def held(net):
    from keras.ops import convert_to_numpy

    return {
        f"{layer.name}/{w.name}": convert_to_numpy(w).copy() for layer in net.layers for w in layer.weights
    }


def test_a_step_turns_1x1_kernels_by_an_orthogonal_matrix_and_leaves_the_rest_to_adamw(net):
    from keras.losses import MeanSquaredError

    from train.training.optimizers import PointwiseMuon

    random = np.random.default_rng(0)
    rate = 0.016
    net.compile(PointwiseMuon(rate, weight_decay=None), MeanSquaredError())
    before = held(net)
    net.train_on_batch(random.normal(size=(32, 6, 6, 3)), random.normal(size=(32, 2)))
    moved = {name: value - before[name] for name, value in held(net).items()}
    for name in ("wide", "narrow"):
        step = moved[f"{name}/kernel"][0, 0]
        singular = np.linalg.svd(step, compute_uv=False) / (rate * 0.2 * max(step.shape) ** 0.5)
        # Five Newton-Schulz steps bring all directions that have a gradient to about 1.
        assert 0.6 < singular.max() < 1.3
        assert np.median(singular) > 0.5
    for path in ("depthwise/kernel", "logits/kernel", "logits/bias"):
        np.testing.assert_allclose(np.median(np.abs(moved[path])), rate / 4, rtol=0.05)  # Adam's first step


def test_decay_is_of_the_matrices_alone(net):
    from keras.losses import MeanSquaredError

    from train.training.optimizers import PointwiseMuon

    net.compile(PointwiseMuon(0.01, weight_decay=0.5, adam_weight_decay=None), MeanSquaredError())
    answers = net.predict(np.zeros((4, 6, 6, 3)), verbose=0)
    before = held(net)
    net.train_on_batch(np.zeros((4, 6, 6, 3)), answers)  # nothing to learn
    for name, value in held(net).items():
        decays = name in ("wide/kernel", "narrow/kernel")
        np.testing.assert_allclose(value, before[name] * (1 - 0.01 * 0.5 * decays), rtol=1e-5, atol=1e-7)


def test_a_run_with_it_resumes_to_the_same_weights(toy, toy_recipe, tmp_path):
    from train.training.fit import fit

    recipe = replace(toy_recipe, optimizer="muon", learning_rate=0.01, schedule="constant", epochs=2)
    whole = fit(recipe, toy, tmp_path / "whole")
    log = (tmp_path / "whole" / "log.csv").read_text().splitlines()
    fit(replace(recipe, epochs=1), toy, tmp_path / "broken")
    settings = (tmp_path / "whole" / "run.json").read_text()
    (tmp_path / "broken" / "run.json").write_text(settings)
    (tmp_path / "broken" / "final.keras").unlink()
    resumed = fit(recipe, toy, tmp_path / "broken")
    assert float(log[-1].split(",")[2]) < float(log[1].split(",")[2])
    for left, right in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)
