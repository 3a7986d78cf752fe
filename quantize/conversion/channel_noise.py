"""Factors of channels with which rounding adds the least noise to a network's outputs.

A residual stream is one group of channels and many tensors: what a block adds may be three times as wide as
what the first one starts with. With every channel at the same widest range (Nagel et al. 2019,
arXiv:1906.04721), the narrow tensors round far too coarsely, and what is added first passes through all that
follows. So each tensor is weighed by what back-propagation says its rounding does to the outputs.

A tensor t with the range M_t has steps of M_t / 255, and each of its values an error of that size, whatever
its channel. With the factor f_c, the outputs' noise is the sum of M_t^2 g_tc / f_c^2 over all tensors and
channels, where g_tc is the squared gain from channel c of t to the outputs, and M_t = max_c f_c r_tc follows
from the channels' ranges.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from quantize.conversion.tensor_graph import ScaleGroups

_BATCH = 64
_SEED = 0
_FIRST_STEP, _LAST_STEP = 1.5, 1.01  # factors by which a tensor's range is tried
_BETTER = 1 - 1e-6
Array = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class ChannelNoise:
    """What is known of the T tensors of a group of C channels.

    Attributes:
        ranges: (T, C) largest absolute value of each channel in an image, averaged over the images.
        gains: (T, C) mean over the images of the squared gain from an error in the channel, at all places, to
            the differences of the outputs.
    """

    ranges: Array
    gains: Array


def channel_noise(body: keras.Model, groups: ScaleGroups, pixels: Array) -> Mapping[int, ChannelNoise]:
    """Measures every group whose channels can be scaled, in the order of the network.

    The gain to all outputs is that to random sums of them, on average (Hutchinson 1990); what all outputs
    have in common is left out, since it decides nothing.

    Args:
        body: functional model without BatchNorm.
        groups: its `scale_groups`.
        pixels: (N, size, size, 1) float32 scaled pixels.

    Returns:
        {key of the group: its figures}.
    """
    import tensorflow as tf

    free = {key: tensor for key, tensor in groups.stored().items() if not groups.is_fixed(key)}
    if not free:
        return {}
    probe = keras.Model(body.input, [*free.values(), body.output])
    random = np.random.default_rng(_SEED)
    ranges = [np.zeros(tensor.shape[-1]) for tensor in free.values()]
    gains = [np.zeros(tensor.shape[-1]) for tensor in free.values()]
    for start in range(0, len(pixels), _BATCH):
        images = tf.convert_to_tensor(pixels[start : start + _BATCH])
        with tf.GradientTape() as tape:
            tape.watch(images)
            *tensors, outputs = probe(images, training=False)
            signs = random.choice(np.array([-1, 1], np.float32), outputs.shape)
            scalar = tf.reduce_sum(outputs * (signs - signs.mean(axis=-1, keepdims=True)))
        gradients = tape.gradient(scalar, tensors, unconnected_gradients="zero")
        for index, (values, gradient) in enumerate(zip(tensors, gradients, strict=True)):
            array = np.abs(values.numpy()).reshape(len(images), -1, values.shape[-1])
            ranges[index] += array.max(axis=1).sum(axis=0) / len(pixels)
            squares = np.square(gradient.numpy().astype(np.float64))
            gains[index] += squares.reshape(-1, values.shape[-1]).sum(axis=0) / len(pixels)
    members: dict[int, list[int]] = {}
    for index, key in enumerate(free):
        members.setdefault(groups.find(key), []).append(index)
    return {
        group: ChannelNoise(np.stack([ranges[i] for i in which]), np.stack([gains[i] for i in which]))
        for group, which in members.items()
    }


def least_noise_factors(noise: ChannelNoise) -> Array:
    """Returns the (C,) factors of channels that are not dead.

    At given ranges M of the tensors, the best factor of a channel is the largest that keeps it within all of
    them. The ranges themselves are tried one after the other, in ever smaller steps, from where all channels
    have the same widest range.

    Args:
        noise: the figures of C channels, each of which has a range above 0 in some tensor.
    """
    ranges, gains = noise.ranges, noise.gains
    widest = (ranges / ranges.max(axis=0)).max(axis=1)
    best, factors = _noise(ranges, gains, widest)
    step = _FIRST_STEP
    while step > _LAST_STEP:
        found = False
        for tensor in range(len(ranges)):
            for change in (step, 1 / step):
                tried = (factors * ranges).max(axis=1)
                tried[tensor] *= change
                value, other = _noise(ranges, gains, tried)
                if value < best * _BETTER:
                    best, factors, found = value, other, True
        if not found:
            step = step**0.5
    return factors


def _noise(ranges: Array, gains: Array, tensor_ranges: Array) -> tuple[float, Array]:
    """Returns the outputs' noise but for a constant, and the (C,) factors, at (T,) ranges of the tensors."""
    with np.errstate(divide="ignore"):  # a channel that a tensor does not have limits nothing
        factors = (tensor_ranges[:, np.newaxis] / ranges).min(axis=0)
    reached = (factors * ranges).max(axis=1)
    return float(reached**2 @ (gains / factors**2).sum(axis=1)), factors
