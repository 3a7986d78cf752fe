"""What crops are taken from: scenes, boxes in them that hold no face, and portraits."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from edge.errors import DataError
from train.data.portraits import Portraits
from train.data.scene_images import SceneImages


@dataclass(frozen=True)
class CropSources:
    """The sources of one split.

    Attributes:
        images: the scenes.
        hard_negatives: (M, 5) int32, index of an image without faces, and x, y, width and height of a box in
            it that was taken for a face.
        portraits: further faces, a set for each dataset.
        mined: (M, 5) int32, likewise, boxes that a proposal network took for faces; the image may have some
            elsewhere.
    """

    images: SceneImages
    hard_negatives: npt.NDArray[np.int32] = field(default_factory=lambda: np.zeros((0, 5), np.int32))
    portraits: tuple[Portraits, ...] = ()
    mined: npt.NDArray[np.int32] = field(default_factory=lambda: np.zeros((0, 5), np.int32))


@dataclass(frozen=True)
class FaceData:
    """The sources of crops for training and for validation.

    Attributes:
        name: the dataset's name.
        train: the sources of the training split.
        val: the sources of the validation split.
    """

    name: str
    train: CropSources
    val: CropSources

    def __len__(self) -> int:
        """Number of scenes."""
        return len(self.train.images) + len(self.val.images)

    def part(self, split: str) -> CropSources:
        """Returns the sources of a split.

        Raises:
            DataError: the split is neither "train" nor "val".
        """
        if split not in ("train", "val"):
            raise DataError(f"{self.name}: no {split} rows; expected train or val")
        return self.train if split == "train" else self.val

    def fingerprint(self) -> str:
        """Returns a hash of all scenes and their annotations."""
        texts = f"{self.train.images.fingerprint} {self.val.images.fingerprint}"
        return hashlib.sha256(texts.encode()).hexdigest()[:16]

    def digests(self) -> dict[str, str]:
        """Returns {name: hash} of what crops are taken from besides the scenes."""
        parts: tuple[Literal["train", "val"], ...] = ("train", "val")
        digests = {}
        for name in parts:
            sources = self.part(name)
            if len(sources.hard_negatives):
                content = np.ascontiguousarray(sources.hard_negatives).tobytes()
                digests[f"hard negatives, {name}"] = hashlib.sha256(content).hexdigest()[:16]
            for number, portraits in enumerate(sources.portraits):
                digests[f"portraits {number}, {name}"] = portraits.fingerprint
        return digests
