"""FER+ (Barsoum et al. 2016, arXiv:1608.01041): ten annotators' votes for the pictures of FER-2013.

Its rows stand beside FER-2013's one to one. The majority of the votes is FER-2013's label for 63 % of the
pictures; the votes say how sure a label is.
"""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge.errors import DataError
from train.data.dataset import Dataset

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
        DataError: a column is missing, a vote is no number, or the rows do not stand beside the data's.
    """
    if data.bad_rows:
        raise DataError(f"{path}: cannot stand beside FER-2013 with {len(data.bad_rows)} rows left out")
    try:
        with path.open(encoding="utf-8-sig", newline="") as text:
            reader = csv.DictReader(text)
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise DataError(f"{path}: no column {', '.join(missing)}; expected {', '.join(COLUMNS)}")
            votes = np.array([[float(row[name]) for name in COLUMNS] for row in reader], dtype=np.float32)
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"{path}: cannot be read as FER+ votes ({error})") from error
    if len(votes) != len(data):
        raise DataError(f"{path}: {len(votes)} rows beside {len(data)} of FER-2013; expected one for each")
    total = votes.sum(axis=1, keepdims=True)
    if not (np.isfinite(votes).all() and (votes >= 0).all() and (total > 0).all()):
        raise DataError(f"{path}: a row without votes or with negative ones")
    shares: npt.NDArray[np.float32] = votes / total
    return shares


def expected_labels(votes: npt.NDArray[np.float32], training: Dataset) -> npt.NDArray[np.float32]:
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
        fer2013: the file it was read from.

    Raises:
        DataError: there are no votes beside it, or they do not fit.
    """
    votes = load_votes(find_votes(fer2013), data)
    rows = np.flatnonzero(data.splits == "train")
    expected = np.zeros((len(data), len(data.label_names)), dtype=np.float32)
    expected[rows] = expected_labels(votes[rows], data.take(rows))
    return replace(data, expected=expected)
