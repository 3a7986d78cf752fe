"""Finds which channels of a network must be removed together, by walking its graph.

A convolution's output channel passes unchanged through depthwise convolutions, BatchNorm and activations, is
added to channels of other convolutions, and ends in the kernel rows of the layers that take it as an input.
All of these belong to one group: removing channel 3 removes it from each of them. Torch-Pruning calls the
same structure a dependency graph (Fang et al. 2023, arXiv:2301.12900).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import keras
from keras import layers

from edge.errors import ConfigError
from quantize.union_find import UnionFind
from train.models.graph import iter_nodes

_PASSTHROUGH = (
    layers.ReLU,
    layers.Activation,
    layers.Dropout,
    layers.MaxPooling2D,
    layers.AveragePooling2D,
    layers.GlobalAveragePooling2D,
)


@dataclass(frozen=True)
class WeightAxis:
    """The axis of a weight along which a group's channels lie.

    Attributes:
        layer: name of the layer.
        weight: name of the weight within the layer: "kernel", "bias", "gamma", ...
        axis: index of the axis.
    """

    layer: str
    weight: str
    axis: int


@dataclass(frozen=True)
class ChannelGroup:
    """Channels that can only be removed together.

    Attributes:
        producers: names of the convolutions and dense layers that compute the channels; the first one names
            the group.
        width: number of channels.
        outputs: axes of the producers' weights that hold one slice for each channel.
        passthrough: axes of the weights of layers that treat each channel by itself, such as BatchNorm.
        inputs: axes of the kernels that take the channels as inputs. A channel whose input rows are all zero
            has no effect.
    """

    producers: tuple[str, ...]
    width: int
    outputs: tuple[WeightAxis, ...]
    passthrough: tuple[WeightAxis, ...]
    inputs: tuple[WeightAxis, ...]

    @property
    def name(self) -> str:
        """Name of the group: its first producer."""
        return self.producers[0]

    @property
    def axes(self) -> tuple[WeightAxis, ...]:
        """Every weight axis along which the channels lie."""
        return (*self.outputs, *self.passthrough, *self.inputs)


def channel_groups(body: keras.Model) -> tuple[ChannelGroup, ...]:
    """Returns the groups of a network whose channels can be removed, in the order in which they are computed.

    Args:
        body: functional model of convolutions, depthwise convolutions, dense layers, BatchNorm, additions,
            pooling and activations.

    Returns:
        All groups but those of the network's input and output, whose widths are given from outside.

    Raises:
        ConfigError: a layer is of another kind, or mixes channels with positions; the message names it.
    """
    walk = _GraphWalk()
    for node in iter_nodes(body):
        walk.visit(node)
    return walk.groups(fixed=(*body.inputs, *body.outputs))


class _GraphWalk:
    """Collects which tensors share their channels, and which weight axes lie along them."""

    def __init__(self) -> None:
        self._tensors: UnionFind[int] = UnionFind()  # keys are the ids of symbolic tensors
        self._outputs: dict[WeightAxis, int] = {}
        self._passthrough: dict[WeightAxis, int] = {}
        self._inputs: dict[WeightAxis, int] = {}
        self._widths: dict[str, int] = {}

    def visit(self, node: Any) -> None:
        """Adds one application of a layer."""
        layer, tensors = node.operation, node.input_tensors
        (output,) = node.outputs
        if isinstance(layer, layers.DepthwiseConv2D):
            if layer.depth_multiplier != 1:
                raise _cannot(layer, f"its depth multiplier is {layer.depth_multiplier}, expected 1")
            self._add_passthrough(layer, tensors[0], (("kernel", 2), ("bias", 0)))
        elif isinstance(layer, layers.BatchNormalization):
            self._add_passthrough(layer, tensors[0], [(weight.name, 0) for weight in layer.weights])
        elif isinstance(layer, (layers.Conv2D, layers.Dense)) and not _is_separable(layer):
            self._add_producer(layer, tensors[0], output)
            return
        elif isinstance(layer, layers.Flatten):
            if any(side != 1 for side in tensors[0].shape[1:-1]):
                raise _cannot(layer, f"it mixes channels with the positions of {tuple(tensors[0].shape[1:])}")
        elif not isinstance(layer, (layers.Add, *_PASSTHROUGH)):
            raise _cannot(layer, "how its channels belong together is not known")
        for tensor in tensors:
            self._tensors.union(id(output), id(tensor))

    def groups(self, fixed: Iterable[Any]) -> tuple[ChannelGroup, ...]:
        """Returns the groups that can be removed from; those of the tensors in `fixed` are left out."""
        fixed_groups = {self._tensors.find(id(tensor)) for tensor in fixed}
        outputs, passthrough, inputs = map(self._by_group, (self._outputs, self._passthrough, self._inputs))
        groups = []
        for group, axes in outputs.items():
            if group not in fixed_groups:
                producers = tuple(dict.fromkeys(axis.layer for axis in axes))
                groups.append(
                    ChannelGroup(
                        producers,
                        self._widths[producers[0]],
                        tuple(axes),
                        tuple(passthrough[group]),
                        tuple(inputs[group]),
                    )
                )
        return tuple(groups)

    def _by_group(self, axes: dict[WeightAxis, int]) -> dict[int, list[WeightAxis]]:
        by_group: dict[int, list[WeightAxis]] = defaultdict(list)
        for axis, tensor in axes.items():
            by_group[self._tensors.find(tensor)].append(axis)
        return by_group

    def _add_passthrough(self, layer: Any, tensor: Any, axes: Iterable[tuple[str, int]]) -> None:
        names = {weight.name for weight in layer.weights}
        for weight, axis in axes:
            if weight in names:
                self._add(self._passthrough, WeightAxis(layer.name, weight, axis), tensor)

    def _add_producer(self, layer: Any, tensor: Any, output: Any) -> None:
        if getattr(layer, "groups", 1) != 1:
            raise _cannot(layer, f"its channels lie in {layer.groups} groups, expected 1")
        rank = len(layer.kernel.shape)
        self._widths[layer.name] = int(layer.kernel.shape[-1])
        self._add(self._inputs, WeightAxis(layer.name, "kernel", rank - 2), tensor)
        self._add(self._outputs, WeightAxis(layer.name, "kernel", rank - 1), output)
        if layer.use_bias:
            self._add(self._outputs, WeightAxis(layer.name, "bias", 0), output)

    def _add(self, axes: dict[WeightAxis, int], axis: WeightAxis, tensor: Any) -> None:
        # A weight has one set of channels, however often its layer is applied.
        self._tensors.union(axes.setdefault(axis, id(tensor)), id(tensor))


def _is_separable(layer: Any) -> bool:
    return isinstance(layer, (layers.SeparableConv2D, layers.Conv2DTranspose))


def _cannot(layer: Any, why: str) -> ConfigError:
    return ConfigError(f"{layer.name} ({type(layer).__name__}) cannot be pruned: {why}")
