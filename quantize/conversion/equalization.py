"""Channels of like range, so that one scale for a whole tensor serves them all.

An integer tensor of activations has one scale; a channel whose values are a tenth of its neighbour's keeps a
tenth of the steps, and what amplifies it again amplifies the rounding. Between two linear layers a channel
may be scaled at will, if the first is multiplied by what the second is divided by: ReLU, additions and
pooling let it through (Nagel et al. 2019, arXiv:1906.04721, who scale by weights; here ranges are measured).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import layers

from quantize.conversion.tensor_graph import ScaleGroups, walk_through

_BATCH = 64
_LARGEST = 64.0  # factor of a channel: one that hardly lives must not blow up its readers' weights
Array = npt.NDArray[np.float32]


def equalize(body: keras.Model, pixels: Array, share: float = 1.0) -> None:
    """Scales the channels of a network in place; it computes the same.

    Args:
        body: functional, without BatchNorm (see `conversion.batchnorm_folding`). Layers of unknown
            kind, and what they share channels with, stay as they are.
        pixels: (N, size, size, 1) what it reads, to measure ranges on.
        share: of the way to equal ranges, in the logarithm, 0 to 1.
    """
    walk = walk_through(body)
    factors = {name: _factors(ranges, share) for name, ranges in _ranges(body, walk, pixels).items()}
    for layer, (reads, writes) in walk.linear.items():
        _scale(body.get_layer(layer), factors.get(walk.find(reads)), factors.get(walk.find(writes)))


def _ranges(body: keras.Model, walk: ScaleGroups, pixels: Array) -> Mapping[int, Array]:
    """{class: (C,) largest absolute value of each channel in a picture, the mean over pictures}.

    Of several tensors of a class the widest counts. The mean, since a single picture's outlier is clipped.
    """
    free = {key: tensor for key, tensor in walk.stored().items() if not walk.is_fixed(walk.find(key))}
    if not free:
        return {}
    probe = keras.Model(body.input, {str(key): tensor for key, tensor in free.items()})
    totals = {key: np.zeros(tensor.shape[-1], np.float32) for key, tensor in free.items()}
    for start in range(0, len(pixels), _BATCH):
        found = probe(pixels[start : start + _BATCH], training=False)
        for key in free:
            array = np.abs(keras.ops.convert_to_numpy(found[str(key)]))
            totals[key] += array.max(axis=tuple(range(1, array.ndim - 1))).sum(axis=0)
    ranges: dict[int, Array] = {}
    for key, total in totals.items():
        name = walk.find(key)
        ranges[name] = np.maximum(ranges.get(name, np.float32(0)), total / np.float32(len(pixels)))
    return ranges


def _factors(ranges: Array, share: float) -> Array:
    """What each channel is multiplied with: 1 in the geometric mean of those that live."""
    alive = ranges > ranges.max() / _LARGEST
    logs = np.where(alive, np.log(np.where(alive, ranges, 1)), np.log(max(float(ranges.max()), 1e-12)))
    return np.asarray(np.exp(share * (logs[alive].mean() - logs)) if alive.any() else np.ones_like(ranges))


def _scale(layer: Any, reads: Array | None, writes: Array | None) -> None:
    kernel, *bias = (keras.ops.convert_to_numpy(weight) for weight in layer.weights)
    depthwise = isinstance(layer, layers.DepthwiseConv2D)
    if reads is not None:
        kernel = kernel / reads[:, np.newaxis]
    if writes is not None:
        kernel = kernel * (writes[:, np.newaxis] if depthwise else writes)
        bias = [each * writes for each in bias]
    layer.set_weights([kernel, *bias])
