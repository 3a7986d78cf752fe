"""A narrower network of the same shape, with the weights that are kept."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import keras
import numpy as np
import numpy.typing as npt

from edge.errors import ConfigError
from quantize.pruning.channel_groups import ChannelGroup, channel_groups
from train.models.sepnet import build
from train.models.spec import NetSpec

Kept = Mapping[str, npt.NDArray[np.int64]]


def remove_channels(model: keras.Model, spec: NetSpec, kept: Kept) -> tuple[keras.Model, NetSpec]:
    """The network without the channels that are not kept.

    Args:
        model: of `train.models.sepnet.build`.
        spec: what it was built from.
        kept: {group: the channels that stay, ascending}; groups not named stay whole.

    Returns:
        A new model, smaller in fact, and its spec. With the cut channels' outgoing weights at zero, it
        answers as the old one.

    Raises:
        ConfigError: a group is not there, would be left without channels, or keeps one it does not have.
    """
    body = model.get_layer("body")
    groups = channel_groups(body)
    _check(groups, kept)
    narrow = with_widths(spec, groups, {name: len(channels) for name, channels in kept.items()})
    scale = model.get_layer("scale")
    smaller = build(narrow, scale.scale, scale.offset)
    held = {
        (layer.name, weight.name): keras.ops.convert_to_numpy(weight)
        for layer in body.layers
        for weight in layer.weights
    }
    for group in groups:
        for slot in group.slots if group.name in kept else ():
            place = slot.layer, slot.weight
            held[place] = np.take(held[place], kept[group.name], axis=slot.axis)
    for layer in smaller.get_layer("body").layers:
        layer.set_weights([held[layer.name, weight.name] for weight in layer.weights])
    return smaller, narrow


def with_widths(spec: NetSpec, groups: Sequence[ChannelGroup], widths: Mapping[str, int]) -> NetSpec:
    """The spec with other widths.

    Args:
        spec: of the network.
        groups: of its channels.
        widths: {group: its new width}; groups not named keep theirs.
    """
    stages = list(spec.stages)
    changed = {"stem": spec.stem, "head": spec.head}
    for group in groups:
        for maker in group.makers:
            width = widths.get(group.name, group.width)
            stage = re.match(r"stage(\d+)_", maker)
            if stage:
                stages[int(stage[1])] = replace(stages[int(stage[1])], channels=width)
            else:
                changed[maker] = width
    return replace(spec, stages=tuple(stages), **changed)


def _check(groups: Sequence[ChannelGroup], kept: Kept) -> None:
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
