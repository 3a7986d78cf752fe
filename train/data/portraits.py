"""Images of single faces with the place of the face, which is the same in all images of a dataset."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge.inference.preprocess import Framing
from edge.types import Gray
from train.data.dataset import Dataset, Split
from train.data.mapped_array import MappedArray

# How images lie around the cascade's box: their side in sides of the box, and how far their centre lies below
# the box's (medians by `python -m train framing`).
FRAMINGS = {"utkface": Framing(0.97, 0.09), "lfw": Framing(1.0, 0.0)}


@dataclass(frozen=True)
class Portraits:
    """Square images, each filled by one upright face.

    Attributes:
        images: (N, S, S) uint8.
        centre_xy: centre of the faces in pixels.
        side: side of the box that the cascade would draw, in pixels.
        fingerprint: hash of the images.
        groups: {name of a group of people: (N,) bool, who belongs to it}, where the dataset annotates them.
    """

    images: MappedArray
    centre_xy: tuple[float, float]
    side: float
    fingerprint: str
    groups: Mapping[str, npt.NDArray[np.bool_]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.images.array)

    def image(self, index: int) -> Gray:
        """Returns an image: (S, S) uint8, read-only."""
        image: Gray = self.images.array[index]
        return image


def portraits_of(data: Dataset, split: Split, framing: Framing, cache: Path) -> Portraits:
    """Returns the images of a split as portraits.

    Args:
        data: a dataset of square images.
        split: the split.
        framing: how the images lie around the cascade's box, as `python -m train framing` measures it.
        cache: folder for a file with the images.

    Raises:
        DataError: the split is empty.
        OutputError: the file cannot be written.
    """
    images = data.part(split).images
    fingerprint = hashlib.sha256(np.ascontiguousarray(images).tobytes()).hexdigest()[:16]
    file = cache / f"portraits-{fingerprint}.npy"
    mapped = MappedArray(file) if file.exists() else MappedArray.store(file, images)
    extent = images.shape[1]
    side, middle = extent / framing.margin, (extent - 1) / 2
    return Portraits(mapped, (middle, middle - framing.shift_y * side), side, fingerprint)
