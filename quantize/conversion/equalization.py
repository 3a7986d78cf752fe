"""Cross-layer equalization: channels of like range, so that one scale for a whole tensor serves them all.

An int8 tensor of activations has one scale. A channel whose values are a tenth of its neighbour's uses a
tenth of the steps, and a layer that amplifies it again amplifies the rounding. Between two linear layers a
channel may be scaled at will, if the first layer is multiplied by what the second is divided by: ReLU,
additions and pooling pass it on (Nagel et al. 2019, arXiv:1906.04721, who scale by weights; here ranges are
measured).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import layers

from quantize.conversion.channel_noise import ChannelNoise, channel_noise, least_noise_factors
from quantize.conversion.tensor_graph import ScaleGroups, scale_groups

_BATCH = 64
_LARGEST = 64.0  # factor of a channel: a nearly dead one must not inflate the weights that read it
Array = npt.NDArray[np.float32]


def equalize(body: keras.Model, pixels: Array, by_noise: bool = False) -> None:
    """Scales the channels of a network in place. It computes the same as before.

    Args:
        body: functional model without BatchNorm (see `conversion.batchnorm_folding`). Layers of unknown kind,
            and the layers that share channels with them, stay as they are.
        pixels: (N, size, size, 1) scaled pixels, to measure ranges on.
        by_noise: whether tensors of different ranges that share channels are weighed by what their rounding
            does to the outputs (`conversion.channel_noise`); otherwise the widest counts.
    """
    groups = scale_groups(body)
    if by_noise:
        factors = {key: _by_noise(each) for key, each in channel_noise(body, groups, pixels).items()}
    else:
        factors = {key: _factors(ranges) for key, ranges in _ranges(body, groups, pixels).items()}
    for layer, (reads, writes) in groups.linear.items():
        _scale(body.get_layer(layer), factors.get(groups.find(reads)), factors.get(groups.find(writes)))


def _ranges(body: keras.Model, groups: ScaleGroups, pixels: Array) -> Mapping[int, Array]:
    """Measures {group: (C,) largest absolute value of each channel in an image, averaged over the images}.

    Of several tensors of a group the widest counts. The ranges are averaged because the outlier of a single
    image is clipped later.
    """
    free = {key: tensor for key, tensor in groups.stored().items() if not groups.is_fixed(key)}
    if not free:
        return {}
    probe = keras.Model(body.input, {str(key): tensor for key, tensor in free.items()})
    totals = {key: np.zeros(tensor.shape[-1], np.float32) for key, tensor in free.items()}
    for start in range(0, len(pixels), _BATCH):
        values = probe(pixels[start : start + _BATCH], training=False)
        for key in free:
            array = np.abs(keras.ops.convert_to_numpy(values[str(key)]))
            totals[key] += array.max(axis=tuple(range(1, array.ndim - 1))).sum(axis=0)
    ranges: dict[int, Array] = {}
    for key, total in totals.items():
        group = groups.find(key)
        ranges[group] = np.maximum(ranges.get(group, np.float32(0)), total / np.float32(len(pixels)))
    return ranges


def _factors(ranges: Array) -> Array:
    """Returns each channel's factor; the geometric mean is 1 over channels that are not nearly dead."""
    alive = ranges > ranges.max() / _LARGEST
    logs = np.where(alive, np.log(np.where(alive, ranges, 1)), np.log(max(float(ranges.max()), 1e-12)))
    return np.asarray(np.exp(logs[alive].mean() - logs) if alive.any() else np.ones_like(ranges))


def _by_noise(noise: ChannelNoise) -> Array:
    """Does the same by noise: nearly dead channels get the smallest factor."""
    widest = noise.ranges.max(axis=0)
    alive = widest > widest.max() / _LARGEST
    if not alive.any():
        return np.ones_like(widest, dtype=np.float32)
    best = least_noise_factors(ChannelNoise(noise.ranges[:, alive], noise.gains[:, alive]))
    factors = np.full(len(widest), best.min())
    factors[alive] = best
    return np.asarray(factors / np.exp(np.log(best).mean()), np.float32)


def _scale(layer: Any, reads: Array | None, writes: Array | None) -> None:
    kernel, *bias = (keras.ops.convert_to_numpy(weight) for weight in layer.weights)
    depthwise = isinstance(layer, layers.DepthwiseConv2D)
    if reads is not None:
        kernel = kernel / reads[:, np.newaxis]
    if writes is not None:
        kernel = kernel * (writes[:, np.newaxis] if depthwise else writes)
        bias = [each * writes for each in bias]
    layer.set_weights([kernel, *bias])
