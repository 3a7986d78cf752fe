"""Several instances of one network, trained side by side by one compiled program for each epoch."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np

from train.accelerator.pack import Array
from train.models.sepnet import build
from train.models.spec import Spec

logger = logging.getLogger(__name__)

# Share of the time over which the learning rate rises from 0.
_WARM_UP = 0.02
_FLOOR = 0.001
# Draws the images and targets of a step: (random key, indices of rows, instance's settings, data).
Sampler = Callable[[Any, Any, Any, Any], tuple[Any, Any]]


@dataclass(frozen=True)
class Instance:
    """What tells an instance from the others: its seed, its learning rate, and the sampler's settings."""

    seed: int
    rate: float
    settings: dict[str, float] = field(default_factory=dict)


@dataclass
class Budget:
    """How long a training may take: seconds, epochs, or both; the learning rate falls over the shorter."""

    seconds: float = math.inf
    epochs: float = math.inf

    def share(self, elapsed: float, epochs: float) -> float:
        """Returns what share of the budget is used, 0 to 1."""
        return min(1.0, max(elapsed / self.seconds, epochs / self.epochs))


@dataclass(frozen=True)
class Method:
    """How all instances are trained.

    Attributes:
        make_optimizer: makes a new optimizer; its learning rate must be a number.
        sampler: draws images and targets.
        batch_size: pictures in a step.
        precision: Keras' dtype policy.
    """

    make_optimizer: Callable[[], keras.optimizers.Optimizer]
    sampler: Sampler
    batch_size: int
    precision: str = "float32"


class Population:
    """A network with stacked weights: every array has one more axis, for the instances."""

    def __init__(self, spec: Spec, instances: Sequence[Instance], method: Method) -> None:
        """Builds the instances with random weights."""
        self.spec, self.instances, self._method = spec, list(instances), method
        models = []
        for instance in instances:
            keras.utils.set_random_seed(instance.seed)
            models.append(build(spec, precision=method.precision))
        self.model = models[0]
        self.optimizer = method.make_optimizer()
        self.optimizer.build(self.model.trainable_variables)
        names = [variable.path for variable in self.optimizer.variables]
        self._rate_index = next(i for i, name in enumerate(names) if name.endswith("learning_rate"))

        def stacked(get: Callable[[Any], list[Any]]) -> list[Any]:
            return [jnp.stack([v.value for v in same]) for same in zip(*map(get, models), strict=True)]

        count = len(models)
        self.state = (
            stacked(lambda model: model.trainable_variables),
            stacked(lambda model: model.non_trainable_variables),
            [jnp.stack([jnp.asarray(v.value)] * count) for v in self.optimizer.variables],
        )
        # An argument of the compiled program, not constants in it: it may serve other instances.
        self._each = {
            "key": jnp.stack([jax.random.key(instance.seed) for instance in instances]),
            "rate": jnp.array([instance.rate for instance in instances]),
            "settings": {
                name: jnp.array([instance.settings[name] for instance in instances])
                for name in instances[0].settings
            },
        }
        self._epoch = jax.jit(self._epoch_of_all, donate_argnums=0)
        self._predict = jax.jit(self._predict_all)
        self.compiled: Any = None
        self.epochs = 0
        self.log: list[dict[str, Any]] = []

    def compile(self, rows: Any, data: Any) -> float:
        """Compiles the epoch for these rows and this data; returns the seconds that it took."""
        start = time.monotonic()
        self.compiled = self._epoch.lower(self.state, self._each, jnp.zeros(2), rows, data).compile()
        return time.monotonic() - start

    def adopt(self, other: Population) -> None:
        """Takes the compiled functions of a population of the same spec, size and settings."""
        self.compiled, self._predict = other.compiled, other._predict

    def train(self, rows: Any, data: Any, budget: Budget, validate: Callable[[Population], Any]) -> None:
        """Trains until the budget is used; the learning rate follows a cosine over the budget.

        Args:
            rows: (R,) int32, the rows of an epoch; some may occur several times.
            data: arrays for the sampler.
            budget: how long.
            validate: what to log every few epochs.
        """
        start, last = time.monotonic(), 0.0
        checked, done, end = 0.0, 0, 0.0
        while end < 1.0:
            elapsed = time.monotonic() - start
            used = budget.share(elapsed, done)
            end = budget.share(elapsed + last, done + 1)
            if budget.share(elapsed + 1.6 * last, done + 1) >= 1.0:
                end = 1.0
            keys = jax.vmap(lambda key, n=self.epochs: jax.random.fold_in(key, n))(self._each["key"])
            span = jnp.array([used, end])
            self.state, figures = self.compiled(self.state, {**self._each, "key": keys}, span, rows, data)
            losses, accuracy = (np.asarray(figure).round(4).tolist() for figure in figures)
            last = time.monotonic() - start - elapsed
            self.epochs += 1
            done += 1
            if budget.share(elapsed + last, done) >= 1.0:
                end = 1.0
            row = {"epoch": self.epochs, "share": round(end, 4), "loss": losses, "accuracy": accuracy}
            if end >= 1.0 or end - checked >= 0.1:
                checked = end
                row |= validate(self)
                logger.info("    %s", row)
            self.log.append(row | {"seconds": round(last, 3)})

    def predict(self, images: Any) -> Any:
        """Returns (instances, N, classes) float32 logits of (N, 48, 48, 1) images."""
        return self._predict(self.state, images)

    def load(self, weights: Sequence[Array]) -> None:
        """Gives every instance these weights, which are in the order of Keras' `get_weights`."""
        arrays = {v.path: jnp.asarray(w) for v, w in zip(self.model.weights, weights, strict=True)}

        def loaded(variables: list[Any], state: list[Any]) -> list[Any]:
            # A random generator's state is no weight: it stays.
            pairs = zip(variables, state, strict=True)
            return [jnp.broadcast_to(arrays.get(v.path, old), old.shape) for v, old in pairs]

        trainable, other, slots = self.state
        self.state = (
            loaded(self.model.trainable_variables, trainable),
            loaded(self.model.non_trainable_variables, other),
            slots,
        )

    def weights(self, index: int) -> list[Array]:
        """Returns an instance's weights in the order of Keras' `get_weights`."""
        values: dict[str, Array] = {}
        for variables, arrays in (
            (self.model.trainable_variables, self.state[0]),
            (self.model.non_trainable_variables, self.state[1]),
        ):
            values |= {v.path: np.asarray(a[index]) for v, a in zip(variables, arrays, strict=True)}
        return [values[variable.path] for variable in self.model.weights]

    def _predict_all(self, state: Any, images: Any) -> Any:
        def one(trainable: Any, other: Any) -> Any:
            logits, _ = self.model.stateless_call(trainable, other, images, training=False)
            return logits.astype(jnp.float32)

        return jax.vmap(one)(state[0], state[1])

    def _epoch_of_all(self, state: Any, each: Any, span: Any, rows: Any, data: Any) -> Any:
        return jax.vmap(self._epoch_of_one, in_axes=(0, 0, None, None, None))(state, each, span, rows, data)

    def _epoch_of_one(self, state: Any, own: Any, span: Any, rows: Any, data: Any) -> Any:
        size, key = self._method.batch_size, own["key"]
        steps = rows.shape[0] // size
        batches = jax.random.permutation(key, rows)[: steps * size].reshape(steps, size)

        def step(carry: Any, number_and_batch: Any) -> Any:
            number, batch = number_and_batch
            trainable, other, slots = carry
            drawn = jax.random.fold_in(key, number)
            images, targets = self._method.sampler(drawn, batch, own["settings"], data)
            share = span[0] + (span[1] - span[0]) * (number + 0.5) / steps
            rising = share / _WARM_UP
            falling = 0.5 + 0.5 * jnp.cos(jnp.pi * (share - _WARM_UP) / (1 - _WARM_UP))
            rate = own["rate"] * jnp.where(share < _WARM_UP, rising, _FLOOR + (1 - _FLOOR) * falling)
            slots = list(slots)
            slots[self._rate_index] = rate.astype(slots[self._rate_index].dtype)

            def loss_of(values: Any) -> Any:
                logits, changed = self.model.stateless_call(values, other, images, training=True)
                scores = jax.nn.log_softmax(logits.astype(jnp.float32))
                hits = logits.argmax(-1) == targets.argmax(-1)
                return -(targets * scores).sum(-1).mean(), (changed, hits.mean())

            (loss, (other, accuracy)), gradients = jax.value_and_grad(loss_of, has_aux=True)(trainable)
            trainable, slots = self.optimizer.stateless_apply(slots, gradients, trainable)
            return (list(trainable), list(other), list(slots)), (loss, accuracy)

        state, figures = jax.lax.scan(step, state, (jnp.arange(steps), batches))
        return state, tuple(figure.mean() for figure in figures)
