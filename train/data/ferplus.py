"""Reads FER+ (Barsoum et al. 2016, arXiv:1608.01041): the votes of ten annotators on each image of FER-2013.

Its rows correspond one to one to those of FER-2013's CSV file. The majority of the votes agrees with
FER-2013's label for 63 % of the images; the votes show how certain a label is.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge.errors import DataError
from train.data.dataset import Dataset
from train.data.fer2013 import USAGES

COLUMNS = (
    "neutral",
    "happiness",
    "surprise",
    "sadness",
    "anger",
    "disgust",
    "fear",
    "contempt",
    "unknown",
    "NF",
)
_ALL_COLUMNS = ("Usage", *COLUMNS)


def find_votes(fer2013: Path) -> Path:
    """Finds the file of votes next to FER-2013's own file.

    Args:
        fer2013: FER-2013's CSV file or archive.

    Raises:
        DataError: there is no such file; the message says where to get it.
    """
    for folder in (fer2013.parent, fer2013.parent.parent):
        if (folder / "fer2013new.csv").exists():
            return folder / "fer2013new.csv"
    raise DataError(
        f"no fer2013new.csv next to {fer2013}: get it from github.com/microsoft/FERPlus and put it into that "
        "folder, or train a recipe that needs no votes, such as RECIPE=mini-xception"
    )


def load_votes(path: Path, data: Dataset) -> npt.NDArray[np.float32]:
    """Reads the votes on each row of FER-2013.

    Args:
        path: fer2013new.csv.
        data: FER-2013 as read from its CSV file, complete and in that file's order.

    Returns:
        (N, 10) float32, share of the votes for each of `COLUMNS`; each row sums to 1.

    Raises:
        DataError: a column is missing, a vote is not a number, or the rows do not correspond to the data's:
            their number or their splits differ.
    """
    if data.bad_rows:
        raise DataError(f"{path}: cannot be matched to FER-2013 with {len(data.bad_rows)} rows left out")
    try:
        with path.open(encoding="utf-8-sig", newline="") as text:
            reader = csv.DictReader(text)
            missing = [name for name in _ALL_COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise DataError(f"{path}: no column {', '.join(missing)}; expected {', '.join(_ALL_COLUMNS)}")
            rows = list(reader)
        votes = np.array([[float(row[name]) for name in COLUMNS] for row in rows], dtype=np.float32)
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"{path}: cannot be read as FER+ votes ({error})") from error
    if len(votes) != len(data):
        raise DataError(f"{path}: {len(votes)} rows for {len(data)} of FER-2013; expected one for each")
    _check_splits(path, [row["Usage"] for row in rows], data)
    total = votes.sum(axis=1, keepdims=True)
    if not (np.isfinite(votes).all() and (votes >= 0).all() and (total > 0).all()):
        raise DataError(f"{path}: a row without votes or with negative ones")
    shares: npt.NDArray[np.float32] = votes / total
    return shares


def _check_splits(path: Path, usages: Sequence[str], data: Dataset) -> None:
    """Refuses votes in another order than the data's rows, which shows in rows of different splits."""
    for row, (usage, split) in enumerate(zip(usages, data.splits, strict=True)):
        if USAGES.get(usage) != split:
            expected = next(name for name, each in USAGES.items() if each == split)
            raise DataError(
                f"{path}: row {row + 1} is of {usage!r}, FER-2013's of {expected!r}; expected the votes for "
                "the same rows in the same order"
            )


def soft_labels(votes: npt.NDArray[np.float32], training: Dataset) -> npt.NDArray[np.float32]:
    """Estimates the probabilities of FER-2013's labels from an image's votes.

    The training rows give the probability of each label given a vote for each of `COLUMNS`. An image's soft
    label is the mean of these, weighted by its votes.

    Args:
        votes: (N, 10) shares of the votes on the training rows.
        training: these N rows of FER-2013.

    Returns:
        (N, 7) float32, each row summing to 1.
    """
    onehot = np.eye(len(training.label_names), dtype=np.float32)[training.labels]
    # Squared, since a single vote of ten tells little about the label.
    sharpened = votes**2 / (votes**2).sum(axis=1, keepdims=True)
    counts = sharpened.T @ onehot
    given_vote = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1e-9)
    mixed = sharpened @ given_vote
    return np.asarray(mixed / mixed.sum(axis=1, keepdims=True), dtype=np.float32)


def with_votes(data: Dataset, fer2013: Path) -> Dataset:
    """Returns FER-2013 with the soft labels that FER+'s votes give its training rows.

    Args:
        data: FER-2013, complete.
        fer2013: the CSV file or archive that `data` was read from; the votes lie next to it.

    Raises:
        DataError: `fer2013` is a folder, there are no votes next to it, or they do not match the data.
    """
    if fer2013.is_dir():
        # Folders may hold as many images as there are votes, but sorted by label: no vote would match.
        raise DataError(
            f"{fer2013}: FER-2013 as a folder of pictures is not in the order of FER+'s votes; expected "
            "fer2013.csv or fer2013.tar.gz, or a recipe that needs no votes, such as RECIPE=mini-xception"
        )
    votes = load_votes(find_votes(fer2013), data)
    rows = np.flatnonzero(data.splits == "train")
    labels = np.zeros((len(data), len(data.label_names)), dtype=np.float32)
    labels[rows] = soft_labels(votes[rows], data.take(rows))
    return replace(data, soft_labels=labels)
