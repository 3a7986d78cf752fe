"""Splits a dataset by subject, so that nobody appears in two splits.

Several images of one subject are nearly one image: a split by row would measure how well a network remembers
the subjects.
"""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from edge.types import Box, Gray
from train.data.dataset import BadRow, Dataset, Split, check_bad_rows

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SubjectRow:
    """A usable image and its annotations.

    Attributes:
        id: a name that identifies the image in every form of the dataset.
        subject: number of the subject.
        label: index into the dataset's labels.
        image: (S, S) uint8; S is the same for all rows of a dataset.
        box: the cascade's box in the image; None for all rows of a dataset that is not searched for faces.
        attributes: further annotations by name; all rows of a dataset have the same names.
    """

    id: str
    subject: int
    label: int
    image: Gray
    box: Box | None = None
    attributes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class LeftOut:
    """An image or sequence that is intact but not used; the dataset counts these by their reason `why`."""

    why: str


@dataclass(frozen=True)
class Tenths:
    """How many tenths of the subjects are for validation and for testing; the others are for training."""

    val: int
    test: int


def split_of(subject: int, tenths: Tenths) -> Split:
    """Returns a subject's split, by a hash of the number: the same in every form and part of a dataset."""
    digest = hashlib.blake2b(f"subject {subject}".encode(), digest_size=4).digest()
    tenth = int.from_bytes(digest, "big") % 10
    return "val" if tenth < tenths.val else "test" if tenth < tenths.val + tenths.test else "train"


def split_by_subject(
    name: str,
    path: Path,
    label_names: tuple[str, ...],
    rows: Iterable[SubjectRow | BadRow | LeftOut],
    tenths: Tenths,
) -> Dataset:
    """Collects a loader's rows into a dataset with the attribute "subject", split by subject.

    Args:
        name: the dataset's name.
        path: path that the rows were read from, for messages.
        label_names: the labels.
        rows: the rows, usable or not.
        tenths: how the subjects are split.

    Raises:
        DataError: no row is usable, or more than 1 % of the rows are damaged.
    """
    # One growing buffer: a list of 200,000 images and their stack would need the memory twice.
    pixels = bytearray()
    good: list[tuple[str, int, int, Box | None, Mapping[str, int]]] = []
    bad: list[BadRow] = []
    reasons: Counter[str] = Counter()
    side = 0
    for row in rows:
        if isinstance(row, BadRow):
            bad.append(row)
        elif isinstance(row, LeftOut):
            reasons[row.why] += 1
        else:
            side = row.image.shape[0]
            pixels += row.image.tobytes()
            good.append((row.id, row.subject, row.label, row.box, row.attributes))
    left_out = dict(reasons.most_common())
    reasons_text = ", ".join(f"{why} {count}" for why, count in left_out.items())
    where = f"{name} in {path}"
    note = f" (left out: {reasons_text})" if reasons_text and not good else ""
    bad_rows = check_bad_rows(f"{where}{note}", bad, len(good))
    if reasons_text:
        logger.info(
            "%s: left out %d, as is usual with this dataset: %s", where, reasons.total(), reasons_text
        )
    ids, subjects, labels, boxes, attributes = zip(*good, strict=True)
    known_boxes = [box for box in boxes if box is not None]
    return Dataset(
        name=name,
        images=np.frombuffer(pixels, dtype=np.uint8).reshape(-1, side, side),
        labels=np.array(labels, dtype=np.int64),
        label_names=label_names,
        ids=ids,
        splits=np.array([split_of(subject, tenths) for subject in subjects]),
        boxes=np.array(known_boxes, dtype=np.int32) if len(known_boxes) == len(good) else None,
        attributes={
            "subject": np.array(subjects, dtype=np.int64),
            **{key: np.array([row[key] for row in attributes], dtype=np.int64) for key in attributes[0]},
        },
        bad_rows=bad_rows,
        left_out=left_out,
    )
