"""Finds which tensors of a network share their channels, and which of them its int8 file stores."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from quantize.union_find import UnionFind
from train.models.graph import is_linear, iter_nodes

# A multiplication with a positive number may come before these layers as well as after them.
_PASSTHROUGH = (
    layers.Identity,
    layers.Dropout,
    layers.MaxPooling2D,
    layers.AveragePooling2D,
    layers.GlobalAveragePooling2D,
    layers.Add,
)


def scale_groups(body: keras.Model) -> ScaleGroups:
    """Follows the channels of a network from its input to its output.

    Args:
        body: functional model without BatchNorm (see `conversion.batchnorm_folding`).
    """
    groups = ScaleGroups()
    for tensor in (*body.inputs, *body.outputs):
        groups.fix(tensor)
    for node in iter_nodes(body):
        groups.visit(node)
    return groups


class ScaleGroups:
    """Groups of tensors whose channels can only be scaled together. Tensors are named by their `id`.

    Attributes:
        linear: {name of a linear layer: (key of a tensor that it reads, key of one that it writes)}.
    """

    def __init__(self) -> None:
        self.linear: dict[str, tuple[int, int]] = {}
        self._groups: UnionFind[int] = UnionFind()
        self._tensors: dict[int, Any] = {}
        self._fixed: set[int] = set()
        self._relu_inputs: set[int] = set()
        self._other_inputs: set[int] = set()

    def find(self, key: int) -> int:
        """Returns the key of the tensor that stands for the group of a tensor."""
        return self._groups.find(key)

    def fix(self, tensor: Any) -> None:
        """Marks the group of a tensor as one that must not be scaled, since its values are given."""
        self._fixed.add(self._key(tensor))

    def is_fixed(self, key: int) -> bool:
        """Whether the group of a tensor must not be scaled."""
        return self.find(key) in {self.find(each) for each in self._fixed}

    def stored(self) -> dict[int, Any]:
        """Returns the tensors that the int8 file rounds, by key.

        A tensor that only ReLUs and Identity layers read is not among them: a ReLU becomes part of the layer
        before it.
        """
        fused = self._relu_inputs - self._other_inputs
        return {key: tensor for key, tensor in self._tensors.items() if key not in fused}

    def visit(self, node: Any) -> None:
        """Adds one application of a layer."""
        layer = node.operation
        reads, writes = [self._key(each) for each in node.input_tensors], self._key(node.outputs[0])
        is_fused = _is_relu(layer) or isinstance(layer, layers.Identity)
        (self._relu_inputs if is_fused else self._other_inputs).update(reads)
        if _is_scalable(layer):
            first = self.linear.setdefault(layer.name, (reads[0], writes))
            # A layer may be applied several times, but it has one set of weights.
            self._groups.union(first[0], reads[0])
            self._groups.union(first[1], writes)
        elif isinstance(layer, _PASSTHROUGH) or _is_relu(layer) or _is_flat(layer, node):
            for key in reads:
                self._groups.union(key, writes)
        else:
            self._fixed.update((*reads, writes))

    def _key(self, tensor: Any) -> int:
        self._tensors[id(tensor)] = tensor
        return id(tensor)


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
    """Whether a layer is a Flatten that keeps channels apart: its input has a single position."""
    return isinstance(layer, layers.Flatten) and all(side == 1 for side in node.input_tensors[0].shape[1:-1])
