"""Rows of the sets that know who is in a picture: gathered into a dataset that no person stands in twice.

Several pictures of one person are nearly one picture. A split by row would measure how well a network
remembers people.
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
    """A usable picture.

    Attributes:
        id: a name that finds it again.
        subject: number of the person.
        label: index into the set's labels.
        image: (S, S) uint8, S being the same for all rows of a set.
        box: the cascade's box in it; None where it was not looked for, then for all rows of a set.
        attributes: further annotations, the same names for all rows of a set.
    """

    id: str
    subject: int
    label: int
    image: Gray
    box: Box | None = None
    attributes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class LeftOut:
    """A picture or sequence that is not damaged and yet not used: counted by this reason."""

    why: str


@dataclass(frozen=True)
class Tenths:
    """How many tenths of the people are for validation and for testing; the others are for training."""

    val: int
    test: int


def split_of(subject: int, tenths: Tenths) -> Split:
    """The split of a person, by a hash of the number: the same in every form and every part of a set."""
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
    """Makes a dataset with the attribute "subject" of what a loader found.

    Args:
        name: the set's name.
        path: where it was read, for messages.
        label_names: the labels.
        rows: what was found, usable or not.
        tenths: how the people are split.

    Raises:
        DataError: nothing could be used, or more than 1 % of what was found is damaged.
    """
    # One growing buffer: a list of pictures and their stack would hold 200,000 of them twice.
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
    said = ", ".join(f"{why} {count}" for why, count in left_out.items())
    where = f"{name} in {path}"
    bad_rows = check_bad_rows(f"{where} (left out: {said})" if said and not good else where, bad, len(good))
    if said:
        logger.info("%s: left out %d, as is usual with this set: %s", where, reasons.total(), said)
    ids, subjects, labels, boxes, attributes = zip(*good, strict=True)
    found = [box for box in boxes if box is not None]
    return Dataset(
        name=name,
        images=np.frombuffer(pixels, dtype=np.uint8).reshape(-1, side, side),
        labels=np.array(labels, dtype=np.int64),
        label_names=label_names,
        ids=ids,
        splits=np.array([split_of(subject, tenths) for subject in subjects]),
        boxes=np.array(found, dtype=np.int32) if len(found) == len(good) else None,
        attributes={
            "subject": np.array(subjects, dtype=np.int64),
            **{key: np.array([row[key] for row in attributes], dtype=np.int64) for key in attributes[0]},
        },
        bad_rows=bad_rows,
        left_out=left_out,
    )
