"""What a network is before it is built: a frozen spec of channel widths, and what it will weigh."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from edge.errors import ConfigError

BUDGET = 10_000


@dataclass(frozen=True)
class Stage:
    """Blocks of one width at one resolution; the first halves the resolution unless `stride` is 1."""

    channels: int
    blocks: int
    stride: int = 2


@dataclass(frozen=True)
class NetSpec:
    """All that is needed to build a network.

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
        if min(widths) < 1 or self.classes < 2 or not all(stage.blocks >= 1 for stage in self.stages):
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
        """Weights and biases as they lie in the .tflite: BatchNorm folded, a bias for each convolution."""
        total, width = 26 * self.stem, self.stem
        for stage in self.stages:
            for _ in range(stage.blocks):
                total += 10 * width + (width + 1) * stage.channels
                width = stage.channels
        total += (width + 1) * self.head
        total += (self.final_size**2 + 1) * self.head
        return total + (self.head + 1) * self.classes

    def to_dict(self) -> dict[str, Any]:
        """The spec as JSON holds it."""
        return asdict(self)
