"""Selects the channels to remove next: the least important ones for the parameters that they free."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge.errors import ConfigError
from quantize.pruning.channel_groups import ChannelGroup
from quantize.pruning.importance import Importance
from quantize.pruning.surgery import KeptChannels, PrunableSpec, residual_blocks, with_widths

# The group whose channels are counted one by one whatever the multiple: at each place of an aligned face it
# stores a weight, so that it is narrow by its cost in parameters, and hardly takes any time.
_HEAD = "head"

# Of each group: residual additions and depthwise kernels need something left to work on.
LEAST_CHANNELS = 2


def select_channels(
    spec: PrunableSpec,
    groups: Sequence[ChannelGroup],
    importance: Importance,
    target: int,
    multiple: int = 1,
) -> tuple[KeptChannels, PrunableSpec]:
    """Selects the channels to keep so that at most a target number of parameters remains.

    Channels are removed one by one, each time the one with the least importance per parameter that its
    removal frees at the widths reached by then. The widths of the result follow from the importance alone,
    but for removals after which a block would get a residual addition that it was trained without: these are
    left out. With a multiple, channels are removed in lots, down to the next multiple.

    Args:
        spec: spec of the network.
        groups: its channel groups.
        importance: {name of the group: (width,) importance of each channel}.
        target: largest number of stored parameters that may remain.
        multiple: of how many channels a multiple is left of stem and stages, see `PruningPlan.multiple`.

    Returns:
        {name of the group: indices of the channels that stay, ascending}, and the spec of what remains.

    Raises:
        ConfigError: the target is below the number of parameters of the narrowest network of this shape, or
            no channel can be removed any more without another residual addition.
    """
    smallest = with_widths(spec, groups, {group.name: min(LEAST_CHANNELS, group.width) for group in groups})
    if target < smallest.stored_parameters():
        raise ConfigError(
            f"a target of {target:,} parameters; with {LEAST_CHANNELS} channels left everywhere this shape "
            f"has {smallest.stored_parameters():,}"
        )
    # From the least to the most important, so that each group's next channels to remove are its first.
    remaining = {group.name: list(np.argsort(importance[group.name], kind="stable")) for group in groups}
    widths = {group.name: group.width for group in groups}
    while True:
        current = with_widths(spec, groups, widths)
        if current.stored_parameters() > target:
            lots = {name: _lot(name, width, multiple) for name, width in widths.items()}
        else:
            lots = {name: _odd_channels(name, width, multiple) for name, width in widths.items()}
            lots = {name: lot for name, lot in lots.items() if lot}
            if not lots:
                break
        costs = {}
        for name, lot in lots.items():
            if widths[name] - lot < LEAST_CHANNELS:
                continue
            without = with_widths(spec, groups, {**widths, name: widths[name] - lot})
            if residual_blocks(without) != residual_blocks(spec):
                continue
            # Where two widths part, one more bias of zeros is stored: such a removal may free nothing.
            freed = max(1, current.stored_parameters() - without.stored_parameters())
            costs[name] = importance[name][remaining[name][:lot]].sum() / freed
        if not costs:
            raise ConfigError(
                f"a target of {target:,} parameters and widths of a multiple of {multiple}; this shape "
                f"cannot be narrowed below {current.stored_parameters():,} parameters without another "
                "residual addition"
            )
        cheapest = min(costs, key=lambda name: costs[name])
        del remaining[cheapest][: lots[cheapest]]
        widths[cheapest] -= lots[cheapest]
    return {name: np.sort(np.array(left, dtype=np.int64)) for name, left in remaining.items()}, current


def is_narrow_enough(spec: PrunableSpec, target: int, multiple: int = 1) -> bool:
    """Returns whether `select_channels` would keep all channels."""
    widths = (spec.stem, *(stage.channels for stage in spec.stages))
    fits = all(not _odd_channels("", width, multiple) for width in widths)
    return fits and spec.stored_parameters() <= target


def _odd_channels(name: str, width: int, multiple: int) -> int:
    """Returns how many channels of a group lie beyond a multiple; 0 for the head, and a narrower group."""
    return 0 if name == _HEAD or width < multiple else width % multiple


def _lot(name: str, width: int, multiple: int) -> int:
    """Returns how many channels of a group are removed together."""
    if name == _HEAD or width <= multiple:
        return 1
    return width % multiple or multiple
