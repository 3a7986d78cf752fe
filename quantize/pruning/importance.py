"""What each channel is worth: by back-propagation, by the size of its weights, or by lot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Literal

import keras
import numpy as np
import numpy.typing as npt

from edge.errors import ConfigError
from quantize.pruning.channel_groups import ChannelGroup, WeightAxis
from train.models.gradients import gradients_of

Criterion = Literal["taylor", "magnitude", "random"]
CRITERIA: tuple[Criterion, ...] = ("taylor", "magnitude", "random")
Importance = Mapping[str, npt.NDArray[np.float64]]
Batch = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]


def taylor_importance(
    body: keras.Model, groups: Sequence[ChannelGroup], batches: Iterable[Batch]
) -> Importance:
    """First-order Taylor importance (Molchanov et al. 2017, arXiv:1611.06440, and 2019, arXiv:1906.10771).

    A gate of 1 in front of everything that reads a channel would have the gradient sum(w * dL/dw) over the
    rows of kernels that read it, since y = w * (gate * x); closing it changes the loss by about that much. It
    is squared for each batch and only then averaged: at the minimum the mean gradient itself vanishes.
    BatchNorm uses its running statistics, as the network does that remains.

    Args:
        body: the network proper.
        groups: of its channels.
        batches: of (N, size, size, 1) scaled pixels and (N, C) targets, each row summing to 1.

    Returns:
        {group: (width,) float64, the mean squared change of the loss when the channel goes}.

    Raises:
        ConfigError: there are no batches, or the loss is not finite.
    """
    readers = sorted({slot.layer for group in groups for slot in group.read})
    kernels = [body.get_layer(name).kernel for name in readers]
    totals = {group.name: np.zeros(group.width) for group in groups}
    count = 0
    for pixels, targets in batches:
        found, _ = gradients_of(partial(_loss, body, targets), pixels, kernels)
        worth = {
            name: keras.ops.convert_to_numpy(kernel).astype(np.float64) * gradient
            for name, kernel, gradient in zip(readers, kernels, found, strict=True)
        }
        for group in groups:
            change = sum((_along(worth[slot.layer], slot) for slot in group.read), np.zeros(group.width))
            totals[group.name] += change**2
        count += 1
    if not count:
        raise ConfigError("importance by back-propagation needs at least one batch of training pictures")
    if not all(np.isfinite(total).all() for total in totals.values()):
        raise ConfigError("the loss has no finite gradient: the network diverged; train it anew")
    return {name: total / count for name, total in totals.items()}


def magnitude_importance(body: keras.Model, groups: Sequence[ChannelGroup]) -> Importance:
    """Sum of the absolute weights that make a channel (Li et al. 2017, arXiv:1608.08710).

    Returns:
        {group: (width,) float64}, 1 in each group's mean, since layers differ in scale.
    """
    found = {}
    for group in groups:
        total = np.zeros(group.width)
        for slot in group.written:
            weight = keras.ops.convert_to_numpy(getattr(body.get_layer(slot.layer), slot.weight))
            total += _along(np.abs(weight.astype(np.float64)), slot)
        found[group.name] = total / max(total.mean(), np.finfo(float).tiny)
    return found


def random_importance(groups: Sequence[ChannelGroup], seed: int) -> Importance:
    """By lot: what any other criterion has to beat. {group: (width,) float64, 0 to 1}."""
    random = np.random.default_rng(seed)
    return {group.name: random.random(group.width) for group in groups}


def _loss(body: keras.Model, targets: npt.NDArray[np.float32], pixels: Any) -> Any:
    losses = keras.losses.categorical_crossentropy(targets, body(pixels, training=False), from_logits=True)
    return keras.ops.mean(losses)


def _along(values: npt.NDArray[np.float64], slot: WeightAxis) -> npt.NDArray[np.float64]:
    """Sums over all axes but the channels'."""
    return np.asarray(values.sum(axis=tuple(axis for axis in range(values.ndim) if axis != slot.axis)))
