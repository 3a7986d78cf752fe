"""How important each channel is: by back-propagation, by the size of its weights, or at random."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
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
Batch = tuple[npt.NDArray[np.float32], npt.NDArray[np.floating[Any]]]
# From targets and outputs to a tensor of one number, by operations of Keras.
Loss = Callable[[Any, Any], Any]


def taylor_importance(
    body: keras.Model, groups: Sequence[ChannelGroup], batches: Iterable[Batch], loss: Loss
) -> Importance:
    """First-order Taylor importance (Molchanov et al. 2017, arXiv:1611.06440, and 2019, arXiv:1906.10771).

    A gate of 1 in front of every kernel that takes a channel as an input would have the gradient
    sum(w * dL/dw) over the channel's rows of those kernels, since y = w * (gate * x). Closing the gate
    changes the loss by about that much. The change is squared for each batch and only then averaged: at the
    minimum the mean gradient vanishes. BatchNorm uses its running statistics, as the pruned network will.

    Args:
        body: the network without its input scaling.
        groups: its channel groups.
        batches: pairs of (N, size, size, 1) scaled pixels and (N, ...) targets.
        loss: mean loss of a batch, that of the training.

    Returns:
        {name of the group: (width,) float64, mean squared change of the loss when the channel is removed}.

    Raises:
        ConfigError: there are no batches, or the loss is not finite.
    """
    readers = sorted({axis.layer for group in groups for axis in group.inputs})
    kernels = [body.get_layer(name).kernel for name in readers]
    totals = {group.name: np.zeros(group.width) for group in groups}
    count = 0
    for pixels, targets in batches:
        gradients, _ = gradients_of(partial(_loss, loss, body, targets), pixels, kernels)
        products = {
            name: keras.ops.convert_to_numpy(kernel).astype(np.float64) * gradient
            for name, kernel, gradient in zip(readers, kernels, gradients, strict=True)
        }
        for group in groups:
            change = np.zeros(group.width)
            for axis in group.inputs:
                change += _sum_by_channel(products[axis.layer], axis)
            totals[group.name] += change**2
        count += 1
    if not count:
        raise ConfigError("importance by back-propagation needs at least one batch of training images")
    if not all(np.isfinite(total).all() for total in totals.values()):
        raise ConfigError("the loss has no finite gradient: the network diverged; train it anew")
    return {name: total / count for name, total in totals.items()}


def magnitude_importance(body: keras.Model, groups: Sequence[ChannelGroup]) -> Importance:
    """Sum of the absolute weights that compute a channel (Li et al. 2017, arXiv:1608.08710).

    Args:
        body: the network without its input scaling.
        groups: its channel groups.

    Returns:
        {name of the group: (width,) float64}, with a mean of 1 in each group, since layers differ in scale.
    """
    importance = {}
    for group in groups:
        total = np.zeros(group.width)
        for axis in group.outputs:
            weight = keras.ops.convert_to_numpy(getattr(body.get_layer(axis.layer), axis.weight))
            total += _sum_by_channel(np.abs(weight.astype(np.float64)), axis)
        importance[group.name] = total / max(total.mean(), np.finfo(float).tiny)
    return importance


def random_importance(groups: Sequence[ChannelGroup], seed: int) -> Importance:
    """Importance at random, which any other criterion must beat.

    Args:
        groups: the channel groups of a network.
        seed: seed of the random numbers.

    Returns:
        {name of the group: (width,) float64, 0 to 1}.
    """
    random = np.random.default_rng(seed)
    return {group.name: random.random(group.width) for group in groups}


def _loss(loss: Loss, body: keras.Model, targets: npt.NDArray[Any], pixels: Any) -> Any:
    return loss(targets, body(pixels, training=False))


def _sum_by_channel(values: npt.NDArray[np.float64], axis: WeightAxis) -> npt.NDArray[np.float64]:
    """Sums a weight's values over all axes but the channels'."""
    others = tuple(index for index in range(values.ndim) if index != axis.axis)
    return np.asarray(values.sum(axis=others))
