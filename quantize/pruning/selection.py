"""Which channels go next: the least important for the parameters that they free."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge.errors import ConfigError
from quantize.pruning.channel_groups import ChannelGroup
from quantize.pruning.importance import Importance
from quantize.pruning.surgery import Kept, with_widths
from train.models.spec import NetSpec

# Of a group: residual additions and depthwise kernels need something left to work on.
LEAST_CHANNELS = 2


def select_channels(
    spec: NetSpec, groups: Sequence[ChannelGroup], importance: Importance, target: int
) -> tuple[Kept, NetSpec]:
    """The channels to keep so that no more parameters than a target remain.

    One channel after the other goes, each time the one with the least importance per parameter that its
    going frees at the widths then reached. So the widths are what the importance makes of them.

    Args:
        spec: of the network.
        groups: of its channels.
        importance: {group: (width,) of each channel}.
        target: largest number of stored parameters that may remain.

    Returns:
        {group: channels that stay, ascending}, and the spec of what remains.

    Raises:
        ConfigError: the target is below what the narrowest network of this shape stores.
    """
    smallest = with_widths(spec, groups, {group.name: min(LEAST_CHANNELS, group.width) for group in groups})
    if target < smallest.stored_parameters():
        raise ConfigError(
            f"a target of {target:,} parameters; with {LEAST_CHANNELS} channels left everywhere this shape "
            f"has {smallest.stored_parameters():,}"
        )
    # From the least important to the most, so that what goes next of each group is its first.
    waiting = {group.name: list(np.argsort(importance[group.name], kind="stable")) for group in groups}
    widths = {group.name: group.width for group in groups}
    while (current := with_widths(spec, groups, widths)).stored_parameters() > target:
        costs = {}
        for name, width in widths.items():
            if width <= LEAST_CHANNELS:
                continue
            without = with_widths(spec, groups, {**widths, name: width - 1})
            # Where two widths part, one more bias of zeros is stored: such a step may free nothing by itself.
            freed = max(1, current.stored_parameters() - without.stored_parameters())
            costs[name] = importance[name][waiting[name][0]] / freed
        cheapest = min(costs, key=lambda name: costs[name])
        waiting[cheapest].pop(0)
        widths[cheapest] -= 1
    return {name: np.sort(np.array(left, dtype=np.int64)) for name, left in waiting.items()}, current
