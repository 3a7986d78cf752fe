"""FER+ (Barsoum et al. 2016, arXiv:1608.01041): ten annotators' votes for the pictures of FER-2013.

Its rows stand beside FER-2013's one to one. The majority of the votes is FER-2013's label for 63 % of the
pictures; the votes say how sure a label is.
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
    """The votes beside FER-2013's own file.

    Raises:
        DataError: there are none; the message says what to get.
    """
    for folder in (fer2013.parent, fer2013.parent.parent):
        if (folder / "fer2013new.csv").exists():
            return folder / "fer2013new.csv"
    raise DataError(
        f"no fer2013new.csv beside {fer2013}: get it from github.com/microsoft/FERPlus and put it into that "
        "folder, or train a recipe that does without it, such as RECIPE=mini-xception"
    )


def load_votes(path: Path, data: Dataset) -> npt.NDArray[np.float32]:
    """The votes for each row of FER-2013.

    Args:
        path: fer2013new.csv.
        data: FER-2013 read from its csv, complete and in its order.

    Returns:
        (N, 10) float32, shares of the votes in the order of `COLUMNS`, each row summing to 1.

    Raises:
        DataError: a column is missing, a vote is no number, or the rows do not stand beside the data's: they
            are more or fewer, or of other splits.
    """
    if data.bad_rows:
        raise DataError(f"{path}: cannot stand beside FER-2013 with {len(data.bad_rows)} rows left out")
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
        raise DataError(f"{path}: {len(votes)} rows beside {len(data)} of FER-2013; expected one for each")
    _check_splits(path, [row["Usage"] for row in rows], data)
    total = votes.sum(axis=1, keepdims=True)
    if not (np.isfinite(votes).all() and (votes >= 0).all() and (total > 0).all()):
        raise DataError(f"{path}: a row without votes or with negative ones")
    shares: npt.NDArray[np.float32] = votes / total
    return shares


def _check_splits(path: Path, usages: Sequence[str], data: Dataset) -> None:
    """Refuses votes whose rows are of other splits than the data's: they stand in another order."""
    for row, (usage, split) in enumerate(zip(usages, data.splits, strict=True)):
        if USAGES.get(usage) != split:
            wanted = next(name for name, each in USAGES.items() if each == split)
            raise DataError(
                f"{path}: row {row + 1} is of {usage!r}, FER-2013's of {wanted!r}; expected the votes for "
                "the same rows in the same order"
            )


def soft_labels(votes: npt.NDArray[np.float32], training: Dataset) -> npt.NDArray[np.float32]:
    """How FER-2013 would label a picture with such votes: its label's probabilities given each vote, mixed.

    Args:
        votes: (N, 10) shares for the training rows.
        training: these N rows, whose labels the probabilities are counted from.

    Returns:
        (N, 7) float32, each row summing to 1.
    """
    onehot = np.eye(len(training.label_names), dtype=np.float32)[training.labels]
    # Squared: what one of ten saw says little about the label.
    sharpened = votes**2 / (votes**2).sum(axis=1, keepdims=True)
    met = sharpened.T @ onehot
    given_vote = met / np.maximum(met.sum(axis=1, keepdims=True), 1e-9)
    mixed = sharpened @ given_vote
    return np.asarray(mixed / mixed.sum(axis=1, keepdims=True), dtype=np.float32)


def with_votes(data: Dataset, fer2013: Path) -> Dataset:
    """FER-2013 with the labels that FER+'s votes let expect for its training rows.

    Args:
        data: FER-2013, complete.
        fer2013: what it was read from: its csv or archive.

    Raises:
        DataError: it was read from a folder, there are no votes beside it, or they do not fit.
    """
    if fer2013.is_dir():
        # As many pictures as there are votes, but sorted by label: every vote would go to another picture.
        raise DataError(
            f"{fer2013}: FER-2013 as a folder of pictures is not in the order of FER+'s votes; expected "
            "fer2013.csv or fer2013.tar.gz, or a recipe that does without votes, such as RECIPE=mini-xception"
        )
    votes = load_votes(find_votes(fer2013), data)
    rows = np.flatnonzero(data.splits == "train")
    labels = np.zeros((len(data), len(data.label_names)), dtype=np.float32)
    labels[rows] = soft_labels(votes[rows], data.take(rows))
    return replace(data, soft_labels=labels)
