"""What a network is before it is built: a frozen spec of widths, and what it will weigh."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from edge.errors import ConfigError

BUDGET = 10_000


@dataclass(frozen=True)
class Stage:
    """Blocks of one width at one resolution.

    Attributes:
        channels: their width.
        blocks: separable blocks with weights of their own; the first has the stride.
        stride: 2 halves the resolution.
        repeats: how often one more block is applied, with the same weights each time: parameters are scarce,
            multiplications are not. Each time has its own scale and offset per channel.
    """

    channels: int
    blocks: int
    stride: int = 2
    repeats: int = 0


@dataclass(frozen=True)
class NetSpec:
    """All that is needed to build a small network, the kind that is shipped.

    Attributes:
        stem: channels of the first convolution, 5x5, stride 2.
        stages: the separable blocks.
        head: channels that reach the spatial head.
        classes: number of labels.
        size: side of the square input in pixels.
    """

    stem: int
    stages: tuple[Stage, ...]
    head: int
    classes: int
    size: int = 48

    def __post_init__(self) -> None:
        widths = (self.stem, self.head, *(stage.channels for stage in self.stages))
        if (
            min(widths) < 1
            or self.classes < 2
            or any(stage.blocks < 1 or stage.repeats < 0 for stage in self.stages)
        ):
            raise ConfigError(f"{self}: every width and block count must be at least 1, classes at least 2")
        if self.final_size < 1:
            raise ConfigError(f"{self}: nothing is left of {self.size} pixels after all strides")

    @property
    def final_size(self) -> int:
        """Side of the last feature map."""
        side = -(-self.size // 2)
        for stage in self.stages:
            side = -(-side // stage.stride)
        return side

    def stored_parameters(self) -> int:
        """Weights and biases as they lie in the .tflite.

        BatchNorm is folded where it follows a convolution; a convolution without it has a bias of zeros, and
        all of these of one length are one.
        """
        total, width = 26 * self.stem, self.stem
        unbiased: set[int] = set()
        for stage in self.stages:
            for _ in range(stage.blocks):
                total += 9 * width + (width + 1) * stage.channels
                unbiased.add(width)
                width = stage.channels
            if stage.repeats:
                total += 9 * width + width**2 + 2 * width * stage.repeats
                unbiased.add(width)
        total += (width + 1) * self.head + self.final_size**2 * self.head
        unbiased.add(self.head)  # the bias behind the places becomes part of the logits'
        return total + (self.head + 1) * self.classes + sum(unbiased)

    def to_dict(self) -> dict[str, Any]:
        """The spec as JSON holds it."""
        return asdict(self)


@dataclass(frozen=True)
class TeacherSpec:
    """A residual network (He et al. 2015, arXiv:1512.03385) that teaches smaller ones.

    Attributes:
        widths: channels of the stem and of each residual block; every block but the last stands after a
            halving of the resolution.
        classes: number of labels.
        size: side of the square input in pixels.
        dropout: share of the last features that is dropped in training, 0 to 1.
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
    """A published network that this package is compared with; `train.models.baselines` knows how it is built.

    Attributes:
        architecture: its name there.
        classes: number of labels.
        size: side of the square input in pixels.
        pretrained: start from ImageNet's weights, where the architecture has them.
    """

    architecture: str
    classes: int
    size: int = 48
    pretrained: bool = False


Spec = NetSpec | TeacherSpec | ReferenceSpec


def spec_from_dict(held: dict[str, Any]) -> Spec:
    """The spec that a run's `run.json` holds."""
    if "stages" in held:
        return NetSpec(**{**held, "stages": tuple(Stage(**stage) for stage in held["stages"])})
    kinds = {frozenset(each.name for each in fields(kind)): kind for kind in (TeacherSpec, ReferenceSpec)}
    kind = kinds[frozenset(held)]
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in held.items()
    }
    return kind(**values)
