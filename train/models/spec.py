"""Frozen specs, from which networks are built, and the number of parameters that a spec leads to."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from typing import Any

from edge.errors import ConfigError

# Stored parameters of a network that is shipped: fewer than this.
BUDGET = 10_000


@dataclass(frozen=True)
class Stage:
    """A sequence of blocks of one width at one resolution.

    Attributes:
        channels: width of the blocks.
        blocks: number of separable blocks with weights of their own; the first one has the stride. With 0, a
            maximum over `stride` x `stride` pixels and channels of zeros lead to the stage's resolution and
            width: they store nothing.
        stride: stride of the first block; 2 halves the resolution.
        repeats: number of times that one more block is applied, always with the same weights, since
            parameters are scarce and multiplications are not. Each application has its own scale and offset
            per channel.
    """

    channels: int
    blocks: int
    stride: int = 2
    repeats: int = 0


@dataclass(frozen=True)
class NetSpec:
    """The spec of a small network, the kind that is shipped.

    Attributes:
        stem: channels of the first convolution, which is 5x5 with stride 2.
        stages: the separable blocks.
        head: channels of the last feature map, which has one weight per position and channel.
        classes: number of labels.
        size: side of the square input in pixels.
        separable_head: whether a position's weight is the product of its row's and its column's, which stores
            `2 * final_size` weights a channel instead of `final_size` squared.
    """

    stem: int
    stages: tuple[Stage, ...]
    head: int
    classes: int
    size: int = 48
    separable_head: bool = False

    def __post_init__(self) -> None:
        widths = (self.stem, self.head, *(stage.channels for stage in self.stages))
        if (
            min(widths) < 1
            or self.classes < 2
            or any(min(stage.blocks, stage.repeats) < 0 for stage in self.stages)
        ):
            raise ConfigError(
                f"{self}: every width must be at least 1, block counts at least 0, classes at least 2"
            )
        before = (self.stem, *(stage.channels for stage in self.stages))
        narrowed = [a for a, b in zip(before, self.stages, strict=False) if not b.blocks and b.channels < a]
        if narrowed:
            raise ConfigError(
                f"{self}: a stage without blocks of its own cannot be narrower than {narrowed[0]}"
            )
        if self.final_size < 1:
            raise ConfigError(f"{self}: nothing is left of {self.size} pixels after all strides")

    @property
    def final_size(self) -> int:
        """Side of the last feature map in pixels."""
        side = -(-self.size // 2)
        for stage in self.stages:
            side = -(-side // stage.stride)
        return side

    def stored_parameters(self) -> int:
        """Returns the number of weights and biases that a .tflite file of the network stores.

        A BatchNorm after a convolution is folded into it. A convolution without BatchNorm has a bias of
        zeros; all of these of one length are stored once.
        """
        total, width = 26 * self.stem, self.stem
        unbiased: set[int] = set()
        for stage in self.stages:
            for _ in range(stage.blocks):
                total += 9 * width + (width + 1) * stage.channels
                unbiased.add(width)
                width = stage.channels
            width = stage.channels
            if stage.repeats:
                total += 9 * width + width**2 + 2 * width * stage.repeats
                unbiased.add(width)
        places = 2 * self.final_size if self.separable_head else self.final_size**2
        total += (width + 1) * self.head + places * self.head
        unbiased.add(self.head)  # the bias of layer "places" becomes part of the logits'
        return total + (self.head + 1) * self.classes + sum(unbiased)

    def to_dict(self) -> dict[str, Any]:
        """Returns the spec for a JSON file."""
        return asdict(self)


@dataclass(frozen=True)
class ProposalSpec:
    """The spec of a fully convolutional network that finds faces in images of any size.

    It has the shape of MTCNN's first network (Zhang et al. 2016, arXiv:1604.02878): its output is a map with
    four channels for each cell of `stride` pixels (see `edge.detection.outputs`).

    Attributes:
        stem: channels of the first convolution, which is 3x3 with stride 2.
        stages: the separable blocks; a repeated block is not supported.
        size: side of the square input in training, in pixels; a multiple of the network's stride.
        channels: channels of the map.
    """

    stem: int
    stages: tuple[Stage, ...]
    size: int = 128
    channels: int = 4

    def __post_init__(self) -> None:
        widths = (self.stem, self.channels, *(stage.channels for stage in self.stages))
        if min(widths) < 1 or any(stage.blocks < 1 or stage.repeats for stage in self.stages):
            raise ConfigError(
                f"{self}: every width and block count must be at least 1, and no block repeated"
            )
        if self.size < 1 or self.size % self.stride:
            raise ConfigError(f"{self}: size must be a multiple of the stride, {self.stride}")

    @property
    def stride(self) -> int:
        """Side of a cell of the map in pixels."""
        return 2 * math.prod(stage.stride for stage in self.stages)

    def stored_parameters(self) -> int:
        """Returns the number of weights and biases that a .tflite file of the network stores.

        As in `NetSpec.stored_parameters`, BatchNorm is folded, and zero biases of one length are stored once.
        """
        total, width, unbiased = _stem_and_stages(self.stem, self.stages)
        return total + (width + 1) * self.channels + sum(unbiased)

    def to_dict(self) -> dict[str, Any]:
        """Returns the spec for a JSON file."""
        return asdict(self)


@dataclass(frozen=True)
class TeacherSpec:
    """The spec of a residual network (He et al. 2015, arXiv:1512.03385) that smaller ones are distilled from.

    Attributes:
        widths: channels of the stem and of each residual block; the resolution is halved before each block
            but the last.
        classes: number of labels.
        size: side of the square input in pixels.
        dropout: share of the last features that training drops, 0 to 1.
    """

    widths: tuple[int, ...]
    classes: int
    size: int = 48
    dropout: float = 0.3

    def __post_init__(self) -> None:
        if len(self.widths) < 2 or min(self.widths) < 1 or self.classes < 2 or not 0 <= self.dropout < 1:
            raise ConfigError(
                f"{self}: expected at least two widths of 1 or more, 2 classes, a dropout from 0 to 1"
            )


@dataclass(frozen=True)
class ReferenceSpec:
    """The spec of a published network for comparison, which `train.models.baselines` builds.

    Attributes:
        architecture: name of the network in `baselines.REFERENCES`.
        classes: number of labels.
        size: side of the square input in pixels.
        pretrained: whether training starts from ImageNet's weights, where the architecture has them.
    """

    architecture: str
    classes: int
    size: int = 48
    pretrained: bool = False


ClassifierSpec = NetSpec | TeacherSpec | ReferenceSpec
Spec = ClassifierSpec | ProposalSpec


def spec_from_dict(values: dict[str, Any]) -> Spec:
    """Returns the spec that a run's `run.json` stores as `values`."""
    if "stages" in values:
        of_stages: type[NetSpec | ProposalSpec] = NetSpec if "head" in values else ProposalSpec
        return of_stages(**{**values, "stages": tuple(Stage(**stage) for stage in values["stages"])})
    kinds = {frozenset(each.name for each in fields(kind)): kind for kind in (TeacherSpec, ReferenceSpec)}
    kind = kinds[frozenset(values)]
    arguments: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
    }
    return kind(**arguments)


def _stem_and_stages(stem: int, stages: tuple[Stage, ...]) -> tuple[int, int, set[int]]:
    """Counts what a 3x3 stem and separable blocks store.

    Returns:
        The number without biases of zeros, the last width, and the lengths of the biases of zeros.
    """
    total, width, unbiased = 10 * stem, stem, set[int]()
    for stage in stages:
        for _ in range(stage.blocks):
            total += 9 * width + (width + 1) * stage.channels
            unbiased.add(width)
            width = stage.channels
    return total, width, unbiased
