"""Identifies the dataset that a path holds by the files in it."""

from __future__ import annotations

import csv
import tarfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from edge.errors import DataError
from edge.labels import EMOTIONS
from train.data.ckplus import KAGGLE_FOLDERS
from train.data.locate import FORMS, matches_any

# Patterns of files and folders that only one dataset has, relative to the folder that is the dataset.
_MARKERS: dict[str, tuple[str, ...]] = {
    "fer2013": tuple(f"{split}/{name}" for split in ("train", "test") for name in EMOTIONS),
    "ckplus": (
        "cohn-kanade-images",
        "S[0-9][0-9][0-9]/[0-9][0-9][0-9]",
        *(f"{name}/S[0-9]*_[0-9]*_[0-9]*.png" for name in KAGGLE_FOLDERS),
    ),
    "rafd": ("Rafd[0-9]*_*_*_*_*_*.jpg",),
    "imdb-wiki": ("imdb.mat", "wiki.mat"),
    "utkface": ("[0-9]*_[01]_[0-4]_[0-9]*.jpg",),
    "lfw": ("[01]_[A-Z]*_[0-9][0-9][0-9][0-9].jpg",),
}
# The same for the members of an archive; FER-2013's archive contains a CSV file.
_MEMBERS = _MARKERS | {"fer2013": ("fer2013.csv",)}
_EXPECTED = (
    "fer2013 (fer2013.csv, fer2013.tar.gz, or folders train/<emotion>), ckplus (cohn-kanade-images next to "
    "Emotion, or CK+48 as a folder or .tar.gz), rafd (a folder of Rafd*.jpg), imdb-wiki (a folder with "
    "imdb.mat or wiki.mat), utkface (a folder, .tar or .tar.gz of <age>_<gender>_<ethnicity>_<date>.jpg) or "
    "lfw (the same of <gender>_<Person_Name>_<number>.jpg)"
)
_ARCHIVES = (".tar", ".gz", ".tgz")


def identify(path: Path) -> str:
    """Returns the name of the dataset that a path holds.

    Args:
        path: a dataset in any supported form, or a folder that contains one such dataset.

    Returns:
        "fer2013", "ckplus", "rafd", "imdb-wiki", "utkface" or "lfw".

    Raises:
        DataError: the path does not exist, or holds no known dataset or several; the message lists the
            supported forms.
    """
    return locate_dataset(path)[0]


def locate_dataset(path: Path) -> tuple[str, Path]:
    """Returns the name of the dataset that a path holds and the dataset's own path; see `identify`."""
    path = path.expanduser()
    if not path.exists():
        raise DataError(f"{path}: no such file or folder; expected {_EXPECTED}")
    try:
        own = _dataset_of(path)
        if own is not None:
            return own, path
        datasets = _search(path) if path.is_dir() else {}
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error})") from error
    if not datasets:
        raise DataError(f"{path}: not recognised as a dataset{_hint(path)}; expected {_EXPECTED}")
    if len(datasets) > 1:
        choices = ", ".join(f"{own_path} ({dataset})" for dataset, own_path in datasets.items())
        raise DataError(f"{path}: holds several datasets; name one of {choices}")
    return next(iter(datasets.items()))


def _search(folder: Path) -> dict[str, Path]:
    """Returns the datasets in a folder, {name: path}; of several forms of one, the preferred form."""
    datasets: dict[str, Path] = {}
    for dataset, forms in FORMS.items():
        path = next((folder / form for form in forms if (folder / form).exists()), None)
        if path is not None:
            datasets[dataset] = path
    for item in sorted(folder.iterdir()):
        own = _dataset_of(item)
        if own is not None:
            datasets.setdefault(own, item)
    return datasets


def _dataset_of(path: Path) -> str | None:
    """Returns the name of the dataset that a file or folder itself is, or None."""
    for dataset, forms in FORMS.items():
        # A known name counts even for a damaged file; the loader reports the damage.
        if path.is_file() and path.name in forms:
            return dataset
    if path.is_dir():
        return next((dataset for dataset, markers in _MARKERS.items() if matches_any(path, markers)), None)
    if path.suffix.lower() == ".csv":
        return "fer2013" if {"emotion", "pixels"} <= _header(path) else None
    if path.name in _MARKERS["imdb-wiki"]:
        return "imdb-wiki"
    return _dataset_in(path) if path.suffix.lower() in _ARCHIVES else None


def _header(path: Path) -> set[str]:
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as text:
        # A limit, since a file that is not CSV may be a single line of gigabytes.
        return {name.strip() for name in next(csv.reader([text.readline(1 << 12)]), [])}


def _dataset_in(archive: Path) -> str | None:
    """Returns the dataset of the first member that shows it, so that few archives are read to their end."""
    try:
        with tarfile.open(archive) as members:
            for member in members:
                name = PurePosixPath(member.name)
                for dataset, markers in _MEMBERS.items():
                    if any(name.match(marker) for marker in markers):
                        return dataset
    except (tarfile.TarError, EOFError, zlib.error):
        return None
    return None


def _hint(path: Path) -> str:
    if path.is_dir():
        return ""
    if zipfile.is_zipfile(path):
        return " (a zip archive: unpack it and name its folder)"
    damaged = path.suffix.lower() in _ARCHIVES and not tarfile.is_tarfile(path)
    return " (a damaged archive)" if damaged else ""
