"""Every dataset, read in its original form and yielding one type. Nothing else in the package reads them."""

from train.data.dataset import BadRow, Dataset, Split
from train.data.fer2013 import load_fer2013
from train.data.locate import find_data
from train.data.utkface import load_utkface

__all__ = ["BadRow", "Dataset", "Split", "find_data", "load", "load_fer2013", "load_utkface"]


def load(task: str, folder: str) -> Dataset:
    """The dataset that trains a task: FER-2013 for emotion, UTKFace for gender.

    Args:
        task: "emotion" or "gender".
        folder: where the datasets lie, or the dataset itself.

    Returns:
        The dataset with all its splits.

    Raises:
        DataError: nothing is there, or it is damaged.
    """
    path = find_data(task, folder)
    return load_fer2013(path) if task == "emotion" else load_utkface(path)
