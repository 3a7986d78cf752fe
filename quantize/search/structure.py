"""Structures of small networks among which a search chooses, and what they store.

A structure is a `NetSpec` seen as the decisions that lead to it: widths, how each resolution is entered, how
many blocks have kernels of their own or share one, and the kind of the head. The widest structure of a search
has everything that a gate can take away; `GateLayout` names its gates.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np

from edge.errors import ConfigError
from quantize.pruning.selection import LEAST_CHANNELS
from train.models.spec import NetSpec, Stage

# A random structure uses at least this share of the parameters that it may have.
_LEAST_SHARE = 0.95
_MAX_DRAWS = 1_000_000


@dataclass(frozen=True)
class StageShape:
    """One resolution of a structure.

    Attributes:
        channels: width.
        stride: stride with which the resolution is entered; 1 or 2.
        block: whether a separable block with the stride leads to it; otherwise pooling and channels of zeros,
            which store nothing.
        own: number of further separable blocks, each with kernels of its own.
        shared: number of times that one more block is applied, always with the same kernels.
    """

    channels: int
    stride: int
    block: bool
    own: int
    shared: int


@dataclass(frozen=True)
class Structure:
    """The decisions that lead to a `NetSpec`.

    Attributes:
        stem: channels of the first convolution.
        stages: the resolutions, in order.
        head: channels of the last feature map.
        places: whether the head has one weight per position; otherwise one per row and one per column.
        classes: number of labels.
        size: side of the input in pixels.
    """

    stem: int
    stages: tuple[StageShape, ...]
    head: int
    places: bool
    classes: int = 7
    size: int = 48

    @property
    def spec(self) -> NetSpec:
        """The network's spec. Blocks after pooling take a second stage of the same width and resolution."""
        stages: list[Stage] = []
        for stage in self.stages:
            if stage.block:
                stages.append(Stage(stage.channels, 1 + stage.own, stage.stride, stage.shared))
            elif stage.own:
                stages.append(Stage(stage.channels, 0, stage.stride))
                stages.append(Stage(stage.channels, stage.own, 1, stage.shared))
            else:
                stages.append(Stage(stage.channels, 0, stage.stride, stage.shared))
        return NetSpec(self.stem, tuple(stages), self.head, self.classes, self.size, not self.places)

    @property
    def is_sound(self) -> bool:
        """Whether the network can be built, with residual additions where the gated network has them only.

        A block that enters a resolution has none there, but would get one with a stride of 1 and as many
        outputs as inputs.
        """
        widths = (self.stem, *(stage.channels for stage in self.stages))
        return all(
            before != stage.channels or stage.stride > 1 if stage.block else before <= stage.channels
            for before, stage in zip(widths, self.stages, strict=False)
        )


@dataclass(frozen=True)
class GateLayout:
    """The gates of a widest structure: which elements of one vector belong to which decision.

    Attributes:
        widest: the structure with every gate open.
        slices: {decision: its elements}. "stem", "head" and "stage0/channels" have one gate per channel,
            "stage0/own" and "stage0/shared" one per application, "stage0/block" and "places" a single one,
            which chooses between two kinds.
        size: number of gates.
    """

    widest: Structure
    slices: Mapping[str, slice]
    size: int

    @classmethod
    def of(cls, widest: Structure) -> GateLayout:
        """Lays out the gates of a structure in the order of the network.

        Raises:
            ConfigError: the structure leaves a decision out or is narrower than before at a stage.
        """
        if not (widest.is_sound and widest.places and all(stage.block for stage in widest.stages)):
            raise ConfigError(f"{widest}: a widest structure has blocks, a head of places and rising widths")
        slices, start = {}, 0
        for name, count in _counts(widest):
            slices[name] = slice(start, start + count)
            start += count
        return cls(widest, slices, start)

    def split(self, gates: Any) -> dict[str, Any]:
        """Returns {decision: (batch, count)} for a (batch, size) tensor or array of gates."""
        return {name: gates[:, where] for name, where in self.slices.items()}

    def channels(self) -> tuple[str, ...]:
        """Returns the decisions that have one gate per channel."""
        return tuple(name for name in self.slices if name in ("stem", "head") or name.endswith("/channels"))


def channel_masks(parts: Mapping[str, Any], widest: Structure) -> list[Any]:
    """Returns which channels of the stem and of each stage are there, (batch, channels) between 0 and 1.

    Pooling passes channels on, and what it passes on cannot be taken away: behind it, a channel is there if
    its own gate is open or the channel was there before. This is exact for gates of 0 and 1 and, as a
    probability, for independent gates.

    Args:
        parts: {decision: (batch, count)}, see `GateLayout.split`.
        widest: the structure with every gate open.
    """
    masks = [parts["stem"]]
    for number, stage in enumerate(widest.stages):
        missing = stage.channels - masks[-1].shape[-1]
        passed = keras.ops.pad((1 - parts[f"stage{number}/block"]) * masks[-1], ((0, 0), (0, missing)))
        masks.append(1 - (1 - parts[f"stage{number}/channels"]) * (1 - passed))
    return masks


def stored_parameters(parts: Mapping[str, Any], widest: Structure) -> Any:
    """Returns the price of gates, as a tensor of one number: the parameters that the network stores.

    With gates of 0 and 1 it is `NetSpec.stored_parameters` of what they leave, except that biases of zeros
    are counted once for each width, and a file stores them once for each different width. With probabilities
    it is the expected number but for the covariance of widths, which is small.

    Args:
        parts: {decision: (1, count)}, gates or their probabilities to be open.
        widest: the structure with every gate open.
    """
    widths = [keras.ops.sum(mask) for mask in channel_masks(parts, widest)]
    total, before, side = 26 * widths[0], widths[0], -(-widest.size // 2)
    # Whether a depthwise convolution without a bias reads each width; the head's is always read by one.
    unbiased: list[Any] = [0.0] * len(widths)
    for number, (stage, width) in enumerate(zip(widest.stages, widths[1:], strict=True)):
        side = -(-side // stage.stride)
        block = keras.ops.sum(parts[f"stage{number}/block"])
        own, shared = parts[f"stage{number}/own"], parts[f"stage{number}/shared"]
        total += block * (9 * before + (before + 1) * width)
        total += keras.ops.sum(own) * (9 * width + (width + 1) * width)
        total += _any(shared) * (9 * width + width**2) + 2 * width * keras.ops.sum(shared)
        unbiased[number] = 1 - (1 - unbiased[number]) * (1 - block)
        unbiased[number + 1] = 1 - (1 - _any(own)) * (1 - _any(shared))
        before = width
    head, places = keras.ops.sum(parts["head"]), keras.ops.sum(parts["places"])
    total += (before + 1) * head + head * (places * side**2 + (1 - places) * 2 * side) + head
    total += sum(there * width for there, width in zip(unbiased, widths, strict=True))
    return total + (head + 1) * widest.classes


def draw_structure(widest: Structure, target: int, random: np.random.Generator) -> Structure:
    """Draws a structure at random: every decision evenly among its values, anew until the size is right.

    Args:
        widest: the structure with every gate open.
        target: most stored parameters; at least 95 % of it are used.
        random: source of the random numbers.

    Raises:
        ConfigError: hardly any structure has that size.
    """
    for _ in range(_MAX_DRAWS):
        stages = tuple(
            replace(
                stage,
                channels=int(random.integers(LEAST_CHANNELS, stage.channels + 1)),
                block=bool(random.integers(2)),
                own=int(random.integers(stage.own + 1)),
                shared=int(random.integers(stage.shared + 1)),
            )
            for stage in widest.stages
        )
        stem, head = (int(random.integers(LEAST_CHANNELS, most + 1)) for most in (widest.stem, widest.head))
        drawn = replace(widest, stem=stem, stages=stages, head=head, places=bool(random.integers(2)))
        if drawn.is_sound and _LEAST_SHARE * target <= drawn.spec.stored_parameters() <= target:
            return drawn
    raise ConfigError(f"no structure of about {target:,} parameters in {_MAX_DRAWS:,} draws within {widest}")


def _counts(widest: Structure) -> Iterator[tuple[str, int]]:
    yield "stem", widest.stem
    for number, stage in enumerate(widest.stages):
        yield f"stage{number}/channels", stage.channels
        yield f"stage{number}/block", 1
        yield f"stage{number}/own", stage.own
        yield f"stage{number}/shared", stage.shared
    yield "head", widest.head
    yield "places", 1


def _any(gates: Any) -> Any:
    """Returns the probability that at least one of independent gates is open."""
    return 1 - keras.ops.prod(1 - gates)
