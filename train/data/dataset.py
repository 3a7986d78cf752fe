"""The one type that every loader yields, and what happens to rows that cannot be used."""

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

# A set with more bad rows than this is not the set it claims to be.
BAD_SHARE = 0.01
_BAD_SHOWN = 5


@dataclass(frozen=True)
class BadRow:
    """A row or file that was left out: where it is and what is wrong with it."""

    where: str
    why: str


@dataclass(frozen=True)
class Dataset:
    """Labelled faces.

    Attributes:
        name: the set's name, for messages and model cards.
        images: (N, H, W) uint8, gray.
        labels: (N,) int64, index into `label_names`.
        label_names: the labels, in the order of the networks' outputs.
        ids: N names that find a picture again in any form of the set.
        splits: (N,) "train", "val" or "test".
        boxes: (N, 4) int32, the cascade's box in each image: x, y, width and height in pixels. It may reach
            beyond the image's edge. None where the images already are what the device's crop would be.
        attributes: further annotations by name, each (N,) int64.
        expected: (N, C) float32, each row summing to 1: the labels' probabilities by further annotators,
            zero outside the training split; None where there are none.
        bad_rows: what was left out as damaged.
        left_out: what was left out for a known and harmless reason, {reason: number}.
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
        """The rows of one split, in their order.

        Raises:
            DataError: the split is empty.
        """
        rows = np.flatnonzero(self.splits == split)
        if not len(rows):
            raise DataError(f"{self.name}: no {split} rows; expected some of each split that is asked for")
        return self.take(rows)

    def take(self, rows: npt.NDArray[np.int64]) -> Dataset:
        """The rows with these indices, in this order."""
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
        """A hash over pictures, labels and splits: equal for equal data, whatever file it came from."""
        digest = hashlib.sha256()
        for array in (self.images, self.labels, self.splits.astype("S5")):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()[:16]


def image_id(pixels: bytes) -> str:
    """A short name for a picture made of its pixels: the same in every copy of a set."""
    return hashlib.blake2b(pixels, digest_size=8).hexdigest()


def decode_gray(content: bytes) -> Gray | None:
    """A jpg or png as (H, W) uint8, or None where it cannot be decoded."""
    if not content:
        return None
    # The stubs of OpenCV leave out that imdecode gives None for what it cannot read; for a header that
    # claims more than 2^30 pixels it raises instead.
    try:
        picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_GRAYSCALE)
    except cv2.error:
        return None
    return cast("Gray | None", picture)


def check_bad_rows(name: str, bad_rows: Sequence[BadRow], good: int) -> tuple[BadRow, ...]:
    """Reports rows that were left out.

    Args:
        name: the set or file.
        bad_rows: what was left out.
        good: number of rows that could be used.

    Returns:
        The bad rows.

    Raises:
        DataError: nothing could be used, or more than `BAD_SHARE` of all rows are bad.
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
