"""Which tensors of a network share their channels, and which of them its integers store."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import keras
from keras import layers

from train.models.graph import is_linear, iter_nodes

# Multiplication with a positive number may come before these as well as after them.
_PASSING = (
    layers.Identity,
    layers.Dropout,
    layers.MaxPooling2D,
    layers.AveragePooling2D,
    layers.GlobalAveragePooling2D,
    layers.Add,
)


def walk_through(body: keras.Model) -> ScaleGroups:
    """Follows channels from a network's input to its output, whose values are given from outside.

    Args:
        body: functional, without BatchNorm (see `conversion.batchnorm_folding`).
    """
    walk = ScaleGroups()
    for tensor in (*body.inputs, *body.outputs):
        walk.fix(tensor)
    for node in iter_nodes(body):
        walk.pass_through(node)
    return walk


@dataclass
class ScaleGroups:
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
        if _is_scalable(layer):
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


def _is_scalable(layer: Any) -> bool:
    """Whether each output channel of a layer can be multiplied by a number by way of its weights."""
    if isinstance(layer, (layers.SeparableConv2D, layers.Conv2DTranspose)):
        return False
    if not isinstance(layer, (layers.Conv2D, layers.DepthwiseConv2D, layers.Dense)):
        return False
    plain = getattr(layer, "depth_multiplier", 1) == 1 and getattr(layer, "groups", 1) == 1
    return plain and is_linear(layer)


def _is_relu(layer: Any) -> bool:
    return isinstance(layer, layers.ReLU) and layer.max_value is None and not layer.threshold


def _is_flat(layer: Any, node: Any) -> bool:
    """Flatten keeps channels apart only where there is a single place."""
    return isinstance(layer, layers.Flatten) and all(side == 1 for side in node.input_tensors[0].shape[1:-1])
