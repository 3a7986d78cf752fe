"""Finds a dataset in a folder; where there is none, the error says what to download."""

from __future__ import annotations

from pathlib import Path

from edge.errors import ConfigError, DataError

# The usual names of each dataset's forms, the preferred one first.
FORMS = {
    "fer2013": ("fer2013.tar.gz", "fer2013.csv", "fer2013/fer2013.csv", "fer2013"),
    "utkface": ("UTKFace.tar.gz", "UTKFace.tar", "UTKFace"),
    "ckplus": ("CK+48.tar.gz", "CK+48", "cohn-kanade-images", "CK+"),
    "rafd": ("RaFD", "rafd"),
    "imdb-wiki": ("imdb_crop", "wiki_crop"),
    "lfw": ("lfw.tar", "lfw.tar.gz", "lfw"),
}
# Patterns of what lies in a folder that is the dataset itself.
_CONTENTS = {
    "fer2013": ("train",),
    "utkface": ("*_*_*.jpg",),
    "ckplus": ("S[0-9]*/[0-9]*", "anger/*.png", "happy/*.png"),
    "rafd": ("Rafd*.jpg",),
    "imdb-wiki": ("imdb.mat", "wiki.mat"),
    "lfw": ("[01]_*_[0-9][0-9][0-9][0-9].jpg",),
}
_HELP = {
    "fer2013": "FER-2013 (fer2013.tar.gz or fer2013.csv of Kaggle's 'Challenges in Representation Learning: "
    "Facial Expression Recognition Challenge', or its train/ and test/ folders)",
    "utkface": "UTKFace, aligned and cropped (UTKFace.tar.gz from susanqq.github.io/UTKFace, or its folder)",
    "ckplus": "CK+ (cohn-kanade-images and Emotion from its authors, or Kaggle's CK+48, as a folder or "
    "CK+48.tar.gz)",
    "rafd": "RaFD (a folder RaFD with its Rafd*.jpg, from rafd.socsci.ru.nl)",
    "imdb-wiki": "IMDB-WIKI, faces only (imdb_crop or wiki_crop, unpacked, with imdb.mat or wiki.mat in it, "
    "from data.vision.ee.ethz.ch/cvl/rrothe/imdb-wiki)",
    "lfw": "LFW's faces as the cascade cuts them (lfw.tar, or its folder, with "
    "<gender>_<Person_Name>_<number>.jpg in it)",
}
_DATASETS = {"emotion": "fer2013", "gender": "utkface"}


def find_data(task: str, folder: str) -> Path:
    """Finds the dataset that trains a task: FER-2013 for emotion, UTKFace for gender.

    Args:
        task: "emotion" or "gender".
        folder: a folder that holds the dataset under its usual name, or the dataset itself.

    Returns:
        The path of an archive, a CSV file or a folder.

    Raises:
        DataError: the dataset is not there; the message says what to get and where to put it.
    """
    return _find(_DATASETS[task], folder, task)


def find_named(dataset: str, folder: str) -> Path:
    """Finds a dataset by its name.

    Args:
        dataset: one of `FORMS`.
        folder: a folder that holds the dataset under its usual name, or the dataset itself.

    Returns:
        The path of an archive, a CSV file or a folder.

    Raises:
        ConfigError: no dataset has that name.
        DataError: the dataset is not there; the message says what to get and where to put it.
    """
    if dataset not in FORMS:
        raise ConfigError(f"no dataset {dataset!r}; expected one of {', '.join(FORMS)}")
    return _find(dataset, folder, dataset)


def _find(dataset: str, folder: str, wanted: str) -> Path:
    path = Path(folder).expanduser()
    if path.is_file() or (path.is_dir() and matches_any(path, _CONTENTS[dataset])):
        return path
    for form in FORMS[dataset]:
        if (path / form).exists():
            return path / form
    raise DataError(
        f"no {wanted} data in {str(path)!r}: get {_HELP[dataset]}, put it into that folder, "
        f"or name another with DATA=FOLDER (make) or --data FOLDER"
    )


def find_scenes(folder: str) -> Path:
    """Finds the scenes that train the networks that find faces.

    Args:
        folder: a folder that holds `scenes.tar` or the folder `scenes`, or either of these itself.

    Raises:
        DataError: they are not there.
    """
    path = Path(folder).expanduser()
    if path.is_file() or (path / "scenes.csv").exists():
        return path
    for form in ("scenes.tar", "scenes.tar.gz", "scenes"):
        if (path / form).exists():
            return path / form
    raise DataError(
        f"no scenes in {str(path)!r}: expected scenes.tar there, pictures with a box for every face (see "
        "docs/training.md); name another folder with DATA=FOLDER (make) or --data FOLDER"
    )


def matches_any(folder: Path, patterns: tuple[str, ...]) -> bool:
    """Returns whether a folder contains a match of any of the glob patterns."""
    return any(next(folder.glob(pattern), None) is not None for pattern in patterns)
