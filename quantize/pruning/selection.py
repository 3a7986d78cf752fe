"""Selects the channels to remove next: the least important ones for the parameters that they free."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge.errors import ConfigError
from quantize.pruning.channel_groups import ChannelGroup
from quantize.pruning.importance import Importance
from quantize.pruning.surgery import KeptChannels, PrunableSpec, residual_blocks, with_widths

# Of each group: residual additions and depthwise kernels need something left to work on.
LEAST_CHANNELS = 2


def select_channels(
    spec: PrunableSpec, groups: Sequence[ChannelGroup], importance: Importance, target: int
) -> tuple[KeptChannels, PrunableSpec]:
    """Selects the channels to keep so that at most a target number of parameters remains.

    Channels are removed one by one, each time the one with the least importance per parameter that its
    removal frees at the widths reached by then. The widths of the result follow from the importance alone,
    but for removals after which a block would get a residual addition that it was trained without: these are
    left out.

    Args:
        spec: spec of the network.
        groups: its channel groups.
        importance: {name of the group: (width,) importance of each channel}.
        target: largest number of stored parameters that may remain.

    Returns:
        {name of the group: indices of the channels that stay, ascending}, and the spec of what remains.

    Raises:
        ConfigError: the target is below the number of parameters of the narrowest network of this shape.
    """
    smallest = with_widths(spec, groups, {group.name: min(LEAST_CHANNELS, group.width) for group in groups})
    if target < smallest.stored_parameters():
        raise ConfigError(
            f"a target of {target:,} parameters; with {LEAST_CHANNELS} channels left everywhere this shape "
            f"has {smallest.stored_parameters():,}"
        )
    # From the least to the most important, so that each group's next channel to remove is its first.
    remaining = {group.name: list(np.argsort(importance[group.name], kind="stable")) for group in groups}
    widths = {group.name: group.width for group in groups}
    while (current := with_widths(spec, groups, widths)).stored_parameters() > target:
        costs = {}
        for name, width in widths.items():
            if width <= LEAST_CHANNELS:
                continue
            without = with_widths(spec, groups, {**widths, name: width - 1})
            if residual_blocks(without) != residual_blocks(spec):
                continue
            # Where two widths part, one more bias of zeros is stored: such a removal may free nothing.
            freed = max(1, current.stored_parameters() - without.stored_parameters())
            costs[name] = importance[name][remaining[name][0]] / freed
        if not costs:
            raise ConfigError(
                f"a target of {target:,} parameters; this shape cannot be narrowed below "
                f"{current.stored_parameters():,} without another residual addition"
            )
        cheapest = min(costs, key=lambda name: costs[name])
        remaining[cheapest].pop(0)
        widths[cheapest] -= 1
    return {name: np.sort(np.array(left, dtype=np.int64)) for name, left in remaining.items()}, current
