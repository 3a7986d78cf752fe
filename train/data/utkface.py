"""Reads UTKFace, aligned and cropped (Zhang et al. 2017, arXiv:1702.08423): age, apparent gender, ethnicity.

File names are `<age>_<gender>_<ethnicity>_<date>.jpg.chip.jpg`. The dataset defines no splits: a tenth of the
files is for testing and a tenth for validation, chosen by a hash of the name, so that every copy of the
dataset is split in the same way.
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
from train.data.dataset import BadRow, Dataset, Split, check_bad_rows, decode_gray

# Copies differ in size (the original has 200 pixels); the networks' inputs are far smaller than this.
SIDE = 96
ETHNICITIES = ("white", "black", "asian", "indian", "other")
_NAME = re.compile(r"(\d{1,3})_([01])_([0-4])_(\d+)\.jpg(\.chip\.jpg)?")


def load_utkface(path: Path) -> Dataset:
    """Reads UTKFace from its archive or from a folder of its files.

    Args:
        path: a `.tar` or `.tar.gz` file, or a folder, which is searched recursively.

    Returns:
        The dataset with (N, 96, 96) images and the attributes "age" (years) and "ethnicity" (index into
        `ETHNICITIES`, as the dataset annotates it).

    Raises:
        DataError: the dataset is missing or truncated, or more than 1 % of its files are damaged.
    """
    images, labels, ages, ethnicities, ids, bad = [], [], [], [], [], []
    for name, content in _files(path):
        match = _NAME.fullmatch(name)
        if match is None:
            bad.append(BadRow(name, "not <age>_<gender 0|1>_<ethnicity 0-4>_<date>.jpg"))
            continue
        image = decode_gray(content)
        if image is None:
            bad.append(BadRow(name, "cannot be decoded as a picture"))
            continue
        if image.shape != (SIDE, SIDE):
            image = np.asarray(cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA), dtype=np.uint8)
        images.append(image)
        ages.append(int(match[1]))
        labels.append(int(match[2]))
        ethnicities.append(int(match[3]))
        ids.append(name)
    bad_rows = check_bad_rows(f"UTKFace in {path}", bad, len(images))
    return Dataset(
        name="UTKFace",
        images=np.stack(images),
        labels=np.array(labels, dtype=np.int64),
        label_names=GENDERS,
        ids=tuple(ids),
        splits=np.array([_split(name) for name in ids]),
        attributes={
            "age": np.array(ages, dtype=np.int64),
            "ethnicity": np.array(ethnicities, dtype=np.int64),
        },
        bad_rows=bad_rows,
    )


def _split(name: str) -> Split:
    digest = hashlib.blake2b(name.encode(), digest_size=4).digest()
    tenth = int.from_bytes(digest, "big") % 10
    return "test" if tenth == 0 else "val" if tenth == 1 else "train"


def _files(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yields name and bytes of every JPEG file, sorted by name; of files of the same name, only the first."""
    last = None
    for file, content in read_images(path, ".jpg"):
        if file.name != last:
            yield file.name, content
        last = file.name
