"""Which channels of a network must go together, found by walking its graph.

A channel that a convolution makes runs through depthwise convolutions, BatchNorm and activations unchanged in
its number, is added to those of other convolutions, and ends in the rows of the kernels that read it. All of
these places are one group: whoever cuts channel 3 cuts it in all of them. (Torch-Pruning calls the same a
dependency graph, Fang et al. 2023, arXiv:2301.12900.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
from keras import layers

from edge.errors import ConfigError
from train.models.graph import iter_nodes

_PASSING = (
    layers.ReLU,
    layers.Activation,
    layers.Dropout,
    layers.MaxPooling2D,
    layers.AveragePooling2D,
    layers.GlobalAveragePooling2D,
)


@dataclass(frozen=True)
class WeightAxis:
    """One axis of one weight along which a group's channels lie.

    Attributes:
        layer: the layer's name.
        weight: the weight's name in that layer: "kernel", "bias", "gamma", ...
        axis: of the weight.
    """

    layer: str
    weight: str
    axis: int


@dataclass(frozen=True)
class ChannelGroup:
    """Channels that can only be cut together.

    Attributes:
        makers: names of the convolutions that make them; the first gives the group its name.
        width: their number.
        written: where convolutions and dense layers write them.
        carried: where layers that keep channels apart hold something for each.
        read: the rows of kernels that take them as inputs. With these at zero, a channel is gone.
    """

    makers: tuple[str, ...]
    width: int
    written: tuple[WeightAxis, ...]
    carried: tuple[WeightAxis, ...]
    read: tuple[WeightAxis, ...]

    @property
    def name(self) -> str:
        """The first maker's."""
        return self.makers[0]

    @property
    def slots(self) -> tuple[WeightAxis, ...]:
        """Every place where its channels lie."""
        return (*self.written, *self.carried, *self.read)


def channel_groups(body: keras.Model) -> tuple[ChannelGroup, ...]:
    """The groups of a network whose channels can be cut, in the order in which they are made.

    Args:
        body: functional, of convolutions, depthwise convolutions, dense layers, BatchNorm, additions,
            pooling and activations.

    Returns:
        All groups but the input's and the output's, whose numbers are given from outside.

    Raises:
        ConfigError: a layer is of another kind, or mixes channels with places; the message names it.
    """
    walk = _Walk()
    for tensor in body.inputs:
        walk.fix(walk.start(tensor))
    for node in iter_nodes(body):
        walk.pass_through(node)
    for tensor in body.outputs:
        walk.fix(walk.of(tensor))
    return walk.groups()


class _Walk:
    """Which group every tensor's channels belong to: a union-find over the tensors' channel axes."""

    def __init__(self) -> None:
        self._parents: list[int] = []
        self._groups: dict[int, int] = {}
        self._fixed: set[int] = set()
        self._written: dict[WeightAxis, int] = {}
        self._carried: dict[WeightAxis, int] = {}
        self._read: dict[WeightAxis, int] = {}
        self._widths: dict[str, int] = {}

    def start(self, tensor: Any) -> int:
        """A new group for a tensor's channels."""
        self._parents.append(len(self._parents))
        self._groups[id(tensor)] = self._parents[-1]
        return self._parents[-1]

    def of(self, tensor: Any) -> int:
        """The group of a tensor's channels."""
        return self._find(self._groups[id(tensor)])

    def fix(self, group: int) -> None:
        """Whose width is given from outside."""
        self._fixed.add(group)

    def pass_through(self, node: Any) -> None:
        """What one application of a layer does with the groups of its inputs."""
        layer, tensors = node.operation, node.input_tensors
        (output,) = node.outputs
        if isinstance(layer, layers.DepthwiseConv2D):
            if layer.depth_multiplier != 1:
                raise _cannot(layer, f"its depth multiplier is {layer.depth_multiplier}, expected 1")
            self._carry(layer, tensors[0], (("kernel", 2), ("bias", 0)))
        elif isinstance(layer, layers.BatchNormalization):
            self._carry(layer, tensors[0], [(w.name, 0) for w in layer.weights])
        elif isinstance(layer, (layers.Conv2D, layers.Dense)) and not _is_separable(layer):
            self._convolve(layer, tensors[0], output)
            return
        elif isinstance(layer, layers.Add):
            for other in tensors[1:]:
                self._unite(self.of(tensors[0]), self.of(other))
        elif isinstance(layer, layers.Flatten):
            if any(side != 1 for side in tensors[0].shape[1:-1]):
                raise _cannot(layer, f"it mixes channels with the places of {tuple(tensors[0].shape[1:])}")
        elif not isinstance(layer, _PASSING):
            raise _cannot(layer, "how its channels belong together is not known")
        self._groups[id(output)] = self.of(tensors[0])

    def groups(self) -> tuple[ChannelGroup, ...]:
        """Those that can be cut."""
        fixed = {self._find(group) for group in self._fixed}
        places = [dict[int, list[WeightAxis]]() for _ in range(3)]
        for found, lying in zip(places, (self._written, self._carried, self._read), strict=True):
            for slot, group in lying.items():
                found.setdefault(self._find(group), []).append(slot)
        written, carried, read = places
        groups = []
        for group, slots in written.items():
            makers = tuple(dict.fromkeys(slot.layer for slot in slots))
            if group not in fixed:
                groups.append(
                    ChannelGroup(
                        makers,
                        self._widths[makers[0]],
                        tuple(slots),
                        tuple(carried.get(group, ())),
                        tuple(read.get(group, ())),
                    )
                )
        return tuple(groups)

    def _find(self, group: int) -> int:
        while self._parents[group] != group:
            group = self._parents[group]
        return group

    def _unite(self, one: int, other: int) -> None:
        first, second = sorted((self._find(one), self._find(other)))
        self._parents[second] = first

    def _carry(self, layer: Any, tensor: Any, held: Any) -> None:
        names = {weight.name for weight in layer.weights}
        for weight, axis in held:
            if weight in names:
                self._lies(self._carried, WeightAxis(layer.name, weight, axis), self.of(tensor))

    def _lies(self, where: dict[WeightAxis, int], slot: WeightAxis, group: int) -> None:
        """A weight has one number of channels, however often it is applied."""
        self._unite(where.setdefault(slot, group), group)

    def _convolve(self, layer: Any, tensor: Any, output: Any) -> None:
        if getattr(layer, "groups", 1) != 1:
            raise _cannot(layer, f"its channels lie in {layer.groups} groups, expected 1")
        kernel = len(layer.kernel.shape)
        self._lies(self._read, WeightAxis(layer.name, "kernel", kernel - 2), self.of(tensor))
        made = self.start(output)
        self._widths[layer.name] = int(layer.kernel.shape[-1])
        self._lies(self._written, WeightAxis(layer.name, "kernel", kernel - 1), made)
        if layer.use_bias:
            self._lies(self._written, WeightAxis(layer.name, "bias", 0), made)


def _is_separable(layer: Any) -> bool:
    return isinstance(layer, (layers.SeparableConv2D, layers.Conv2DTranspose))


def _cannot(layer: Any, why: str) -> ConfigError:
    return ConfigError(f"{layer.name} ({type(layer).__name__}) cannot be pruned: {why}")
