"""Optimizers and learning-rate schedules that a recipe can name."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import keras

from train.recipes.face_recipe import AnyRecipe
from train.training.muon import PointwiseMuon

# For Keras' ReduceLROnPlateau: the factor of Arriaga et al. 2017 (arXiv:1710.07557), and Keras' own defaults.
_FACTOR = 0.1
_PATIENCE = 12
_MIN_DELTA = 1e-4


def make_optimizer(recipe: AnyRecipe, steps: int) -> keras.optimizers.Optimizer:
    """Makes a recipe's optimizer with its learning-rate schedule.

    The "plateau" schedule is not part of the optimizer: `plateau_rate` computes the rate of each epoch.

    Args:
        recipe: names the optimizer and holds its settings.
        steps: number of batches in an epoch.
    """
    rate: Any = recipe.learning_rate
    if recipe.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(
            0.0,
            decay_steps=steps * max(1, recipe.epochs - 1),
            alpha=0.001,
            warmup_target=recipe.learning_rate,
            warmup_steps=steps,
        )
    averaging: dict[str, Any] = (
        {"use_ema": True, "ema_momentum": recipe.averaging} if recipe.averaging else {}
    )
    if recipe.optimizer == "momentum":
        return keras.optimizers.SGD(rate, momentum=0.9, nesterov=True, **averaging)
    if recipe.optimizer == "adam":
        return keras.optimizers.Adam(rate, **averaging)
    if recipe.optimizer == "muon":
        return PointwiseMuon(rate, weight_decay=recipe.weight_decay, adam_weight_decay=None, **averaging)
    optimizer = keras.optimizers.AdamW(rate, weight_decay=recipe.weight_decay, **averaging)
    # Scales, shifts and biases are few and decide the range of a layer: they are not decayed.
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


def plateau_rate(first: float, losses: Iterable[float]) -> float:
    """Returns the next epoch's learning rate, as Keras' ReduceLROnPlateau would set it.

    The rate falls to a tenth after every 12 epochs in which the loss did not fall by more than 0.0001. It
    depends on the losses alone, so that a resumed run continues with the rate that it would have had.

    Args:
        first: learning rate of the first epoch.
        losses: validation losses of all finished epochs, in order.
    """
    rate, best, waited = first, math.inf, 0
    for loss in losses:
        waited += 1
        if loss < best - _MIN_DELTA:
            best, waited = loss, 0
        elif waited == _PATIENCE:
            rate, waited = rate * _FACTOR, 0
    return rate
