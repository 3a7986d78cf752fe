"""Reads faces of LFW (Huang et al. 2007) that were cut out by the Haar cascade, with apparent gender.

File names are `<gender>_<Person_Name>_<number>.jpg`. The dataset is split by person: a tenth of the persons
is for validation, by a hash of the name.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from edge.labels import GENDERS
from train.data.archives import read_images
from train.data.dataset import BadRow, Dataset, decode_gray
from train.data.subjects import SubjectRow, Tenths, split_by_subject

SIDE = 96
_NAME = re.compile(r"([01])_(.+)_(\d{4})\.jpg")
_TENTHS = Tenths(val=1, test=0)


def load_lfw(path: Path) -> Dataset:
    """Reads LFW from an archive or from a folder of its files.

    Args:
        path: a `.tar` or `.tar.gz` file, or a folder, which is searched recursively.

    Returns:
        The dataset with (N, 96, 96) images, which are the cascade's own boxes, and the attribute "subject".

    Raises:
        DataError: the dataset is missing or truncated, or more than 1 % of its files are damaged.
    """
    return split_by_subject("LFW", path, GENDERS, _rows(path), _TENTHS)


def _rows(path: Path) -> Iterator[SubjectRow | BadRow]:
    for file, content in read_images(path, ".jpg"):
        match = _NAME.fullmatch(file.name)
        if match is None:
            yield BadRow(file.name, "not <gender 0|1>_<Person_Name>_<number>.jpg")
            continue
        image = decode_gray(content)
        if image is None:
            yield BadRow(file.name, "cannot be decoded as a picture")
            continue
        if image.shape != (SIDE, SIDE):
            image = np.asarray(cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA), dtype=np.uint8)
        yield SubjectRow(file.name, _number(match[2]), int(match[1]), image)


def _number(person: str) -> int:
    """Returns a person's number, which depends on the name alone: the same in every part of the dataset."""
    return int.from_bytes(hashlib.blake2b(person.encode(), digest_size=6).digest(), "big")
