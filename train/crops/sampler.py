"""What the samplers of both face networks have in common."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from edge.types import Gray

Floats = npt.NDArray[np.float32]
FaceTask = Literal["proposal", "refinement"]
# Targets of an epoch are stored in half precision: they are many, and exact to a hundredth of a pixel.
Targets = npt.NDArray[np.float16]


class Sampler(Protocol):
    """Draws random crops and what a network should return for them."""

    def draw(self, random: np.random.Generator) -> tuple[Gray, Floats]:
        """Returns a crop for training, (size, size) uint8, and its target."""
        ...


def draw_crops(sampler: Sampler, seed: int, epoch: int, indices: Iterable[int]) -> tuple[Gray, Targets]:
    """Draws some of the crops of an epoch; each depends on the seed, the epoch and its index alone.

    Returns:
        (N, size, size) uint8 crops, and their targets, (N, ...) float16.
    """
    pairs = [sampler.draw(np.random.default_rng((seed, epoch, index))) for index in indices]
    images, targets = zip(*pairs, strict=True)
    return np.stack(images), np.stack(targets).astype(np.float16)
