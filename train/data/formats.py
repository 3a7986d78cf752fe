"""Says which dataset a path holds, by what is in it."""

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

# Files and folders that only this set has, where a folder is the set itself.
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
}
# The same for the members of an archive; FER-2013's holds a csv.
_MEMBERS = _MARKERS | {"fer2013": ("fer2013.csv",)}
_EXPECTED = (
    "fer2013 (fer2013.csv, fer2013.tar.gz, or folders train/<emotion>), ckplus (cohn-kanade-images beside "
    "Emotion, or CK+48 as a folder or .tar.gz), rafd (a folder of Rafd*.jpg), imdb-wiki (a folder with "
    "imdb.mat or wiki.mat) or utkface (a folder, .tar or .tar.gz of <age>_<gender>_<ethnicity>_<date>.jpg)"
)
_ARCHIVES = (".tar", ".gz", ".tgz")


def identify(path: Path) -> str:
    """The dataset that a path holds.

    Args:
        path: a file or folder of a set in any form that is read, or a folder that has one such set in it.

    Returns:
        "fer2013", "ckplus", "rafd", "imdb-wiki" or "utkface".

    Raises:
        DataError: nothing is there, nothing is recognised, or there are several sets; the message lists what
            would be recognised.
    """
    return locate_dataset(path)[0]


def locate_dataset(path: Path) -> tuple[str, Path]:
    """The dataset that a path holds, and its own path; for the rest see `recognise`."""
    path = path.expanduser()
    if not path.exists():
        raise DataError(f"{path}: no such file or folder; expected {_EXPECTED}")
    try:
        own = _dataset_of(path)
        if own is not None:
            return own, path
        found = _search(path) if path.is_dir() else {}
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error})") from error
    if not found:
        raise DataError(f"{path}: not recognised as a dataset{_hint(path)}; expected {_EXPECTED}")
    if len(found) > 1:
        sets = ", ".join(f"{place} ({dataset})" for dataset, place in found.items())
        raise DataError(f"{path}: holds several datasets; name one of {sets}")
    return next(iter(found.items()))


def _search(folder: Path) -> dict[str, Path]:
    """The sets that lie in a folder, each at the form to prefer."""
    found: dict[str, Path] = {}
    for dataset, forms in FORMS.items():
        place = next((folder / form for form in forms if (folder / form).exists()), None)
        if place is not None:
            found[dataset] = place
    for item in sorted(folder.iterdir()):
        own = _dataset_of(item)
        if own is not None:
            found.setdefault(own, item)
    return found


def _dataset_of(path: Path) -> str | None:
    """The set that a file or folder is itself."""
    for dataset, forms in FORMS.items():
        # By its name even if damaged: the loader says what is wrong with it.
        if path.is_file() and path.name in forms:
            return dataset
    if path.is_dir():
        return next((dataset for dataset, signs in _MARKERS.items() if matches_any(path, signs)), None)
    if path.suffix.lower() == ".csv":
        return "fer2013" if {"emotion", "pixels"} <= _header(path) else None
    if path.name in _MARKERS["imdb-wiki"]:
        return "imdb-wiki"
    return _dataset_in(path) if path.suffix.lower() in _ARCHIVES else None


def _header(path: Path) -> set[str]:
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as text:
        # A file that is no csv may be one line of gigabytes.
        return {name.strip() for name in next(csv.reader([text.readline(1 << 12)]), [])}


def _dataset_in(archive: Path) -> str | None:
    """The set of an archive's first telling member: most archives need not be read to their end."""
    try:
        with tarfile.open(archive) as members:
            for member in members:
                name = PurePosixPath(member.name)
                for dataset, signs in _MEMBERS.items():
                    if any(name.match(sign) for sign in signs):
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
