"""Reads every dataset from its original files into one type, `Dataset`."""

from collections.abc import Callable
from pathlib import Path

from train.data.ckplus import load_ckplus
from train.data.dataset import BadRow, Boxes, Dataset, Split
from train.data.fer2013 import load_fer2013
from train.data.formats import identify, locate_dataset
from train.data.imdb_wiki import load_imdb_wiki
from train.data.lfw import load_lfw
from train.data.locate import find_data, find_named
from train.data.rafd import load_rafd
from train.data.utkface import load_utkface

__all__ = [
    "BadRow",
    "Boxes",
    "Dataset",
    "Split",
    "find_data",
    "find_named",
    "identify",
    "load",
    "load_ckplus",
    "load_fer2013",
    "load_imdb_wiki",
    "load_lfw",
    "load_named",
    "load_path",
    "load_rafd",
    "load_utkface",
]

_LOADERS: dict[str, Callable[[Path], Dataset]] = {
    "fer2013": load_fer2013,
    "utkface": load_utkface,
    "ckplus": load_ckplus,
    "rafd": load_rafd,
    "imdb-wiki": load_imdb_wiki,
    "lfw": load_lfw,
}


def load(task: str, folder: str) -> Dataset:
    """Loads the dataset that trains a task: FER-2013 for emotion, UTKFace for gender.

    Args:
        task: "emotion" or "gender".
        folder: the folder that holds the datasets, or the dataset itself.

    Returns:
        The dataset with all its splits.

    Raises:
        DataError: the dataset is missing or damaged.
    """
    path = find_data(task, folder)
    return load_fer2013(path) if task == "emotion" else load_utkface(path)


def load_named(dataset: str, folder: str) -> Dataset:
    """Loads a dataset by its name.

    Args:
        dataset: "fer2013", "utkface", "ckplus", "rafd", "imdb-wiki" or "lfw".
        folder: the folder that holds the datasets, or the dataset itself.

    Returns:
        The dataset with all its splits.

    Raises:
        ConfigError: no dataset has that name.
        DataError: the dataset is missing or damaged.
    """
    path = find_named(dataset, folder)
    return _LOADERS[dataset](path)


def load_path(path: Path) -> Dataset:
    """Loads a dataset of any kind, which is recognised by its files.

    Args:
        path: a dataset in any supported form, or a folder that contains one such dataset.

    Returns:
        The dataset with all its splits.

    Raises:
        DataError: the path does not exist, holds no known dataset or several, or the dataset is damaged.
    """
    dataset, own_path = locate_dataset(path)
    return _LOADERS[dataset](own_path)
