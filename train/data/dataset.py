"""The type that every loader returns, and the limit on damaged rows."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias, cast

import cv2
import numpy as np
import numpy.typing as npt

from edge.errors import DataError
from edge.types import Gray

logger = logging.getLogger(__name__)

Split = Literal["train", "val", "test"]
# (N, 4) int32: x, y, width and height of the cascade's box in each image, in the image's pixels.
Boxes: TypeAlias = npt.NDArray[np.int32]

# A dataset with a larger share of bad rows is taken for a damaged or different one.
BAD_SHARE = 0.01
_BAD_SHOWN = 5


@dataclass(frozen=True)
class BadRow:
    """A row or file that was left out as damaged.

    Attributes:
        where: the line, entry or file.
        why: what is wrong with it.
    """

    where: str
    why: str


@dataclass(frozen=True)
class Dataset:
    """Labelled faces.

    Attributes:
        name: the dataset's name, for messages and model cards.
        images: (N, H, W) uint8, gray levels.
        labels: (N,) int64, index into `label_names`.
        label_names: the labels, in the order of the networks' outputs.
        ids: N names, each of which identifies an image in every form of the dataset.
        splits: (N,) "train", "val" or "test".
        boxes: (N, 4) int32, the cascade's box in each image: x, y, width and height in pixels. It may reach
            beyond the image's edge. None where the images already are what the device's crop would be.
        attributes: further annotations by name, each (N,) int64.
        soft_labels: (N, C) float32, probabilities of the labels according to further annotators. Each row of
            the training split sums to 1; all others are zero. None where there are no further annotators.
        bad_rows: rows that were left out as damaged.
        left_out: number of rows that were left out for each known and harmless reason, {reason: number}.
    """

    name: str
    images: Gray
    labels: npt.NDArray[np.int64]
    label_names: tuple[str, ...]
    ids: tuple[str, ...]
    splits: npt.NDArray[np.str_]
    boxes: Boxes | None = None
    attributes: Mapping[str, npt.NDArray[np.int64]] = field(default_factory=dict)
    soft_labels: npt.NDArray[np.float32] | None = None
    bad_rows: tuple[BadRow, ...] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.labels)

    def part(self, split: Split) -> Dataset:
        """Returns the rows of one split, in their order.

        Raises:
            DataError: the split is empty.
        """
        rows = np.flatnonzero(self.splits == split)
        if not len(rows):
            raise DataError(f"{self.name}: no {split} rows; expected some of each split that is asked for")
        return self.take(rows)

    def take(self, rows: npt.NDArray[np.int64]) -> Dataset:
        """Returns the rows with the given (M,) indices, in that order."""
        return replace(
            self,
            images=self.images[rows],
            labels=self.labels[rows],
            ids=tuple(self.ids[row] for row in rows),
            splits=self.splits[rows],
            boxes=None if self.boxes is None else self.boxes[rows],
            attributes={name: values[rows] for name, values in self.attributes.items()},
            soft_labels=None if self.soft_labels is None else self.soft_labels[rows],
        )

    def fingerprint(self) -> str:
        """Returns a hash of images, labels and splits, which does not depend on the form of the files."""
        digest = hashlib.sha256()
        for array in (self.images, self.labels, self.splits.astype("S5")):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()[:16]


def image_id(pixels: bytes) -> str:
    """Returns a short name for an image, made of its pixels, so that it is the same in every copy."""
    return hashlib.blake2b(pixels, digest_size=8).hexdigest()


def decode_gray(content: bytes) -> Gray | None:
    """Decodes a JPEG or PNG file to (H, W) uint8; returns None where that is not possible."""
    if not content:
        return None
    # OpenCV's type stubs omit that imdecode returns None for bytes that it cannot read; for a header that
    # claims more than 2^30 pixels it raises instead.
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_GRAYSCALE)
    except cv2.error:
        return None
    return cast("Gray | None", image)


def check_bad_rows(name: str, bad_rows: Sequence[BadRow], good: int) -> tuple[BadRow, ...]:
    """Logs the damaged rows of a dataset, and refuses the dataset if there are too many.

    Args:
        name: the dataset or file, for messages.
        bad_rows: the damaged rows.
        good: number of usable rows.

    Returns:
        The damaged rows.

    Raises:
        DataError: no row is usable, or more than `BAD_SHARE` of all rows are damaged.
    """
    first = "; ".join(f"{row.where}: {row.why}" for row in bad_rows[:_BAD_SHOWN])
    if not good:
        raise DataError(f"{name}: no usable row{f' ({first})' if first else ''}")
    if len(bad_rows) > BAD_SHARE * (good + len(bad_rows)):
        raise DataError(
            f"{name}: {len(bad_rows)} of {good + len(bad_rows)} rows are bad, more than {BAD_SHARE:.0%}; "
            f"the first: {first}"
        )
    if bad_rows:
        logger.warning("%s: left out %d bad rows, the first: %s", name, len(bad_rows), first)
    return tuple(bad_rows)
