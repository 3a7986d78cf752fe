"""Channels of like range, so that one scale for a whole tensor serves them all.

An integer tensor of activations has one scale; a channel whose values are a tenth of its neighbour's keeps a
tenth of the steps, and what amplifies it again amplifies the rounding. Between two linear layers a channel
may be scaled at will, if the first is multiplied by what the second is divided by: ReLU, additions and
pooling let it through (Nagel et al. 2019, arXiv:1906.04721, who scale by weights; here ranges are measured).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import layers

from train.cost import nodes

# Multiplication with a positive number may come before these as well as after them.
_PASSING = (
    layers.Identity,
    layers.Dropout,
    layers.MaxPooling2D,
    layers.AveragePooling2D,
    layers.GlobalAveragePooling2D,
    layers.Add,
)
_BATCH = 64
_LARGEST = 64.0  # factor of a channel: one that hardly lives must not blow up its readers' weights
Array = npt.NDArray[np.float32]


def equalize(body: keras.Model, pixels: Array, share: float = 1.0) -> None:
    """Scales the channels of a network in place; it computes the same.

    Args:
        body: functional, without BatchNorm (see `quantize.folding`). Layers of unknown kind, and what they
            share channels with, stay as they are.
        pixels: (N, size, size, 1) what it reads, to measure ranges on.
        share: of the way to equal ranges, in the logarithm, 0 to 1.
    """
    walk = _Walk()
    for tensor in (*body.inputs, *body.outputs):
        walk.fix(tensor)
    for node in nodes(body):
        walk.pass_through(node)
    factors = {name: _factors(ranges, share) for name, ranges in _ranges(body, walk, pixels).items()}
    for layer, (reads, writes) in walk.linear.items():
        _scale(body.get_layer(layer), factors.get(walk.find(reads)), factors.get(walk.find(writes)))


@dataclass
class _Walk:
    """Which tensors' channels are scaled together: a union-find over tensors.

    Attributes:
        parents: {tensor: one of the same class}.
        fixed: classes that stay as they are.
        linear: {layer: (a tensor that it reads, one that it makes)}.
        tensors: {tensor's key: the tensor}.
        activated: what a ReLU reads.
        taken: what anything else reads.
    """

    parents: dict[int, int] = field(default_factory=dict)
    fixed: set[int] = field(default_factory=set)
    linear: dict[str, tuple[int, int]] = field(default_factory=dict)
    tensors: dict[int, Any] = field(default_factory=dict)
    activated: set[int] = field(default_factory=set)
    taken: set[int] = field(default_factory=set)

    def find(self, key: int) -> int:
        """The class of a tensor, by one of its members."""
        while self.parents[key] != key:
            key = self.parents[key]
        return key

    def fix(self, tensor: Any) -> None:
        """A tensor whose values are given from outside."""
        self.fixed.add(self._key(tensor))

    def is_fixed(self, key: int) -> bool:
        """Whether a class stays as it is."""
        return key in {self.find(each) for each in self.fixed}

    def stored(self) -> dict[int, Any]:
        """Tensors that are rounded: a ReLU's input is not, since the ReLU becomes part of what makes it."""
        inside = self.activated - self.taken
        return {key: tensor for key, tensor in self.tensors.items() if key not in inside}

    def pass_through(self, node: Any) -> None:
        """What one application of a layer asks of its tensors."""
        layer = node.operation
        reads, writes = [self._key(each) for each in node.input_tensors], self._key(node.outputs[0])
        (self.activated if _is_relu(layer) or isinstance(layer, layers.Identity) else self.taken).update(
            reads
        )
        if _is_linear(layer):
            first = self.linear.setdefault(layer.name, (reads[0], writes))
            self._unite(first[0], reads[0])  # weights are applied several times, but there is one set of them
            self._unite(first[1], writes)
        elif isinstance(layer, _PASSING) or _is_relu(layer) or _is_flat(layer, node):
            for key in reads:
                self._unite(key, writes)
        else:
            self.fixed.update((*reads, writes))

    def _key(self, tensor: Any) -> int:
        self.tensors[id(tensor)] = tensor
        self.parents.setdefault(id(tensor), id(tensor))
        return id(tensor)

    def _unite(self, one: int, other: int) -> None:
        self.parents[self.find(one)] = self.find(other)


def _is_linear(layer: Any) -> bool:
    if isinstance(layer, (layers.SeparableConv2D, layers.Conv2DTranspose)):
        return False
    if not isinstance(layer, (layers.Conv2D, layers.DepthwiseConv2D, layers.Dense)):
        return False
    plain = getattr(layer, "depth_multiplier", 1) == 1 and getattr(layer, "groups", 1) == 1
    return plain and layer.activation is keras.activations.linear


def _is_relu(layer: Any) -> bool:
    return isinstance(layer, layers.ReLU) and layer.max_value is None and not layer.threshold


def _is_flat(layer: Any, node: Any) -> bool:
    """Flatten keeps channels apart only where there is a single place."""
    return isinstance(layer, layers.Flatten) and all(side == 1 for side in node.input_tensors[0].shape[1:-1])


def _ranges(body: keras.Model, walk: _Walk, pixels: Array) -> Mapping[int, Array]:
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
