"""Removes channels: builds a narrower network of the same shape from the weights that remain."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import keras
import numpy as np
import numpy.typing as npt

from edge.errors import ConfigError
from quantize.pruning.channel_groups import ChannelGroup, channel_groups
from train.models.sepnet import build
from train.models.spec import NetSpec, ProposalSpec

KeptChannels = Mapping[str, npt.NDArray[np.int64]]
# The specs of networks whose widths can be changed one by one.
PrunableSpec: TypeAlias = NetSpec | ProposalSpec


def remove_channels(
    model: keras.Model, spec: PrunableSpec, kept: KeptChannels
) -> tuple[keras.Model, PrunableSpec]:
    """Returns the network without the channels that are not kept.

    Args:
        model: network of `train.models.sepnet.build`.
        spec: what it was built from.
        kept: {name of the group: indices of the channels that stay, ascending}; other groups stay whole.

    Returns:
        A new, smaller model and its spec. If all weights that take the removed channels as inputs were zero,
        its outputs are those of the old one.

    Raises:
        ConfigError: a group does not exist, would be left without channels, or has no channel of an index;
            or a block without a residual addition would get one, since it would have as many inputs as
            outputs.
    """
    body = model.get_layer("body")
    groups = channel_groups(body)
    _check(groups, kept)
    narrow = with_widths(spec, groups, {name: len(channels) for name, channels in kept.items()})
    if residual_blocks(narrow) != residual_blocks(spec):
        raise ConfigError(f"{narrow}: a block would get a residual addition that it was trained without")
    scale = model.get_layer("scale")
    smaller = build(narrow, scale.scale, scale.offset)
    weights = {
        (layer.name, weight.name): keras.ops.convert_to_numpy(weight)
        for layer in body.layers
        for weight in layer.weights
    }
    for group in groups:
        for axis in group.axes if group.name in kept else ():
            key = axis.layer, axis.weight
            weights[key] = np.take(weights[key], kept[group.name], axis=axis.axis)
    for layer in smaller.get_layer("body").layers:
        layer.set_weights([weights[layer.name, weight.name] for weight in layer.weights])
    return smaller, narrow


def with_widths(
    spec: PrunableSpec, groups: Sequence[ChannelGroup], widths: Mapping[str, int]
) -> PrunableSpec:
    """Returns the spec with other widths.

    Args:
        spec: spec of the network.
        groups: its channel groups.
        widths: {name of the group: new number of channels}; other groups keep theirs.
    """
    stages = list(spec.stages)
    changed: dict[str, Any] = {}
    for group in groups:
        for producer in group.producers:
            width = widths.get(group.name, group.width)
            stage = re.match(r"stage(\d+)_", producer)
            if stage:
                stages[int(stage[1])] = replace(stages[int(stage[1])], channels=width)
            else:
                changed[producer] = width  # "stem" or "head", as the spec's field is called
    return replace(spec, stages=tuple(stages), **changed)


def residual_blocks(spec: PrunableSpec) -> tuple[tuple[int, int], ...]:
    """Returns (stage, block) of the blocks that `train.models.sepnet.build` gives a residual addition.

    These have a stride of 1 and as many inputs as outputs. Repeated blocks always have it, and are left out.
    """
    found, width = [], spec.stem
    for number, stage in enumerate(spec.stages):
        for block in range(stage.blocks):
            if width == stage.channels and (stage.stride == 1 or block):
                found.append((number, block))
            width = stage.channels
    return tuple(found)


def _check(groups: Sequence[ChannelGroup], kept: KeptChannels) -> None:
    widths = {group.name: group.width for group in groups}
    for name, channels in kept.items():
        if name not in widths:
            raise ConfigError(f"no group of channels {name!r}; expected one of {', '.join(widths)}")
        if not len(channels):
            raise ConfigError(f"{name}: nothing would be left of its {widths[name]} channels")
        if channels.min() < 0 or channels.max() >= widths[name] or (np.diff(channels) <= 0).any():
            raise ConfigError(
                f"{name}: channels {channels.tolist()}, expected ascending, below {widths[name]}"
            )
