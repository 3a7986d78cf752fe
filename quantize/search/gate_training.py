"""Trains a gated network: weights towards the teachers' scores, gates against the price of what is left."""

from __future__ import annotations

import csv
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from edge.errors import ConfigError
from quantize.search.gated_net import build_gated
from quantize.search.gates import LagrangeMultiplier, open_probability, sample_gates
from quantize.search.structure import GateLayout, stored_parameters
from train.progress import DISPLAY
from train.recipes.recipe import Recipe
from train.training.optimizers import make_optimizer
from train.training.trainer import Epoch

logger = logging.getLogger(__name__)

# Phases of the learning-rate schedule: it rises during the first, and falls during the others.
_PHASES = 10


@dataclass(frozen=True)
class GateSettings:
    """How gates are trained.

    Attributes:
        rate: learning rate of the gates, by Adam.
        start: the gates' parameter before training; that of a choice between two kinds is 0.
        waiting: share of the steps after which the price that is allowed begins to fall from that of all
            gates: whether a whole block is worth its price shows only once its weights are trained.
        arrival: share of the steps after which it is the target.
        multiplier_rate: how fast the multiplier of the price rises.
        stiffness: weight of the squared excess of the price.
        log_steps: steps between two lines of the log.
    """

    rate: float = 0.05
    start: float = 2.5
    waiting: float = 0.2
    arrival: float = 0.65
    multiplier_rate: float = 0.01
    stiffness: float = 1.0
    log_steps: int = 50


@dataclass(frozen=True)
class GateBudget:
    """How long gates are trained, and what for.

    Attributes:
        steps: number of steps.
        target: stored parameters that the gates must come to.
    """

    steps: int
    target: int


@dataclass(frozen=True)
class TrainedGates:
    """Result of a training.

    Attributes:
        net: the gated network.
        log_alpha: (gates,) float32, the gates' parameters.
        log: loss, price and multiplier every now and then.
    """

    net: keras.Model
    log_alpha: npt.NDArray[np.float32]
    log: tuple[dict[str, float], ...]

    def save_log(self, path: Path) -> None:
        """Writes the log as a CSV file."""
        with path.open("w", encoding="utf-8", newline="") as text:
            writer = csv.DictWriter(text, list(self.log[0]))
            writer.writeheader()
            writer.writerows({name: f"{value:.6g}" for name, value in row.items()} for row in self.log)


def stretched_optimizer(recipe: Recipe, steps: int) -> keras.optimizers.Optimizer:
    """Makes a recipe's optimizer with a schedule over a number of steps instead of the recipe's epochs."""
    return make_optimizer(replace(recipe, epochs=_PHASES), max(1, steps // _PHASES))


def first_steps(epochs: Iterable[Epoch], steps: int) -> Iterator[Epoch]:
    """Yields as many rows of epochs as a number of steps takes; the last epoch may be a part of one."""
    for epoch in epochs:
        batches = -(-len(epoch.images) // epoch.batch_size)
        rows = min(steps, batches) * epoch.batch_size
        yield replace(epoch, images=epoch.images[:rows], targets=epoch.targets[:rows])
        steps -= batches
        if steps <= 0:
            return


def train_gates(
    recipe: Recipe,
    layout: GateLayout,
    epochs: Iterable[Epoch],
    budget: GateBudget,
    settings: GateSettings,
) -> TrainedGates:
    """Trains all weights and gates of a widest structure.

    Args:
        recipe: optimizer, batches and seed.
        layout: the gates.
        epochs: images and targets; at least as many batches as there are steps.
        budget: number of steps, and the price to come to.
        settings: how gates are trained.

    Raises:
        ConfigError: the loss is no longer finite.
    """
    keras.utils.set_random_seed(recipe.seed)
    training = _Training(recipe, layout, budget, settings)
    log: list[dict[str, float]] = []
    with DISPLAY.phase("training gates", "steps", budget.steps) as phase:
        for images, targets in islice(_batches(epochs), budget.steps):
            row = training.step(images, targets)
            phase.advance()
            if row:
                log.append(row)
                logger.info("gates: %s", ", ".join(f"{name} {value:.4g}" for name, value in row.items()))
                if not np.isfinite(row["loss"]):
                    raise ConfigError("the gated network diverged: its loss is not finite")
    return TrainedGates(training.net, keras.ops.convert_to_numpy(training.log_alpha), tuple(log))


class _Training:
    def __init__(
        self, recipe: Recipe, layout: GateLayout, budget: GateBudget, settings: GateSettings
    ) -> None:
        import tensorflow as tf

        self.net = build_gated(layout)
        start = np.full(layout.size, settings.start, np.float32)
        for name, where in layout.slices.items():
            if name == "places" or name.endswith("/block"):
                start[where] = 0.0
        self.log_alpha = keras.Variable(start, name="log_alpha")
        self._layout, self._settings = layout, settings
        self._steps, self._target = budget.steps, budget.target
        self._multiplier = LagrangeMultiplier(settings.multiplier_rate, settings.stiffness)
        self._weights = stretched_optimizer(recipe, budget.steps)
        self._weights.build(self.net.trainable_variables)
        self._gates = keras.optimizers.Adam(settings.rate)
        self._gates.build([self.log_alpha])
        self._random = keras.random.SeedGenerator(recipe.seed)
        self._done = 0
        self._first = float(self._price())
        self._compiled = tf.function(self._step, reduce_retracing=True)

    def step(self, images: Any, targets: Any) -> dict[str, float]:
        """Trains one batch; returns a row of the log every now and then."""
        waiting, arrival = self._settings.waiting, self._settings.arrival
        share = float(np.clip((self._done / self._steps - waiting) / (arrival - waiting), 0.0, 1.0))
        allowed = self._first + (self._target - self._first) * share
        loss, price = self._compiled(
            keras.ops.convert_to_tensor(images.astype(np.float32)),
            keras.ops.convert_to_tensor(targets),
            keras.ops.convert_to_tensor(allowed, "float32"),
        )
        self._done += 1
        if self._done % self._settings.log_steps and self._done != self._steps:
            return {}
        return {
            "step": self._done,
            "loss": float(loss),
            "price": float(price),
            "allowed": allowed,
            "multiplier": float(self._multiplier.value),
        }

    def _step(self, images: Any, targets: Any, allowed: Any) -> tuple[Any, Any]:
        import tensorflow as tf

        weights = self.net.trainable_variables
        with tf.GradientTape() as tape:
            uniform = keras.random.uniform((self._layout.size,), 1e-6, 1 - 1e-6, seed=self._random)
            gates = sample_gates(self.log_alpha, uniform)
            logits = self.net([images, gates[None]], training=True)
            loss = keras.ops.mean(keras.ops.categorical_crossentropy(targets, logits, from_logits=True))
            price = self._price()
            excess = (price - allowed) / self._target
            total = loss + self._multiplier.penalty(excess)
        *of_weights, of_gates = tape.gradient(total, [*weights, self.log_alpha])
        self._weights.apply_gradients(zip(of_weights, weights, strict=True))
        self._gates.apply_gradients([(of_gates, self.log_alpha)])
        self._multiplier.rise(excess)
        return loss, price

    def _price(self) -> Any:
        """Returns the expected number of stored parameters."""
        return stored_parameters(
            self._layout.split(open_probability(self.log_alpha)[None]), self._layout.widest
        )


def _batches(epochs: Iterable[Epoch]) -> Iterator[tuple[Any, Any]]:
    for epoch in epochs:
        for start in range(0, len(epoch.images), epoch.batch_size):
            rows = slice(start, start + epoch.batch_size)
            yield epoch.images[rows], epoch.targets[rows]
