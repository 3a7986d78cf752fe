"""Reads IMDB-WIKI (Rothe et al. 2015, doi:10.1109/ICCVW.2015.41): gender and age of people on the web.

The files are `imdb_crop/imdb.mat` or `wiki_crop/wiki.mat` and the images next to it. The annotations were not
made by hand: a face in an image that was found under a person's name is taken to be that person. Images whose
scores in the dataset make that doubtful are left out, and counted by reason.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from edge.errors import DataError
from edge.labels import GENDERS
from train.data.dataset import BadRow, Dataset, decode_gray
from train.data.subjects import LeftOut, SubjectRow, Tenths, split_by_subject
from train.progress import tracked

# The images differ in size; the networks' inputs are far smaller than this.
SIDE = 96
PARTS = ("imdb", "wiki")
# Below this score of the dataset's own face detector, a crop often shows no face.
MIN_SCORE = 1.0
MAX_AGE = 100
# Some crops are a single pixel, or slivers at an image's edge.
MIN_SIDE = 32
MAX_RATIO = 2.0
_NUMBERS = ("dob", "photo_taken", "gender", "face_score", "second_face_score")
_FIELDS = (*_NUMBERS, "full_path", "name")
# MATLAB counts days from the year 0, NumPy from 1970.
_DAYS_BEFORE_1970 = 719_529
_TENTHS = Tenths(val=1, test=1)

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Table:
    """The columns of the .mat file, N entries each.

    Attributes:
        paths: paths of the images.
        subjects: names or numbers of the subjects.
        numbers: the columns `_NUMBERS`, each (N,) float64.
    """

    paths: list[str]
    subjects: list[str]
    numbers: dict[str, _Floats]


def load_imdb_wiki(path: Path) -> Dataset:
    """Reads one of the dataset's two parts.

    Args:
        path: `imdb.mat`, `wiki.mat`, or the folder of one of them (`imdb_crop`, `wiki_crop`).

    Returns:
        The dataset with the centre squares of the images as (N, 96, 96), labels from `edge.labels.GENDERS`,
        and the attributes "age" (years, 0 to 100) and "subject". A tenth of the subjects is for validation
        and another for testing.

    Raises:
        DataError: the dataset is missing, truncated or a different one, or more than 1 % of its entries have
            impossible values.
    """
    file = _find_mat(path)
    part = file.stem.lower()
    return split_by_subject(
        part.upper(), path, GENDERS, _read_rows(file.parent, _read_table(file, part)), _TENTHS
    )


def ages_in(photo_taken: _Floats, dob: _Floats) -> _Floats:
    """Computes ages as the dataset's authors do: full years on 1 July of the year an image was taken.

    Args:
        photo_taken: (N,) years.
        dob: (N,) days of birth as MATLAB counts them; 1 is 1 January of the year 0.

    Returns:
        (N,) years; nan where an argument is not finite.
    """
    known = np.isfinite(dob) & np.isfinite(photo_taken)
    days = np.where(known, dob, _DAYS_BEFORE_1970).astype(np.int64) - _DAYS_BEFORE_1970
    born = days.astype("datetime64[D]")
    year = born.astype("datetime64[Y]")
    first_of_july = (year.astype("datetime64[M]") + np.timedelta64(6, "M")).astype("datetime64[D]")
    full: _Floats = photo_taken - (year.astype(np.int64) + 1970) - (born > first_of_july)
    return np.where(known, full, np.nan)


def _find_mat(path: Path) -> Path:
    if path.is_file():
        if path.suffix == ".mat" and path.stem.lower() in PARTS:
            return path
        raise DataError(f"{path}: expected imdb.mat or wiki.mat")
    for part in PARTS:
        if (path / f"{part}.mat").is_file():
            return path / f"{part}.mat"
    raise DataError(f"{path}: no imdb.mat or wiki.mat in it")


def _read_table(file: Path, part: str) -> _Table:
    # SciPy is installed with imgaug, which training needs as well.
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    damaged = (MatReadError, zlib.error, EOFError, ValueError, TypeError, KeyError, IndexError)
    try:
        content = loadmat(file, variable_names=[part])
    except NotImplementedError as error:
        raise DataError(f"{file}: not a MATLAB file up to version 7, as the set comes ({error})") from error
    except (*damaged, OSError) as error:
        raise DataError(f"{file}: a damaged or truncated MATLAB file ({error}); get it again") from error
    record = content.get(part)
    fields = getattr(getattr(record, "dtype", None), "names", None)
    if record is None or fields is None or record.size != 1:
        raise DataError(f"{file}: holds no struct {part!r}")
    missing = [name for name in _FIELDS if name not in fields]
    if missing:
        raise DataError(f"{file}: no field {', '.join(missing)}; expected {', '.join(_FIELDS)}")
    columns = {name: np.ravel(record[name].item()) for name in fields}
    return _check_columns(file, columns)


def _check_columns(file: Path, columns: dict[str, npt.NDArray[np.generic]]) -> _Table:
    """Checks the types and lengths of the columns that are used."""
    subject = "celeb_id" if "celeb_id" in columns else "name"
    used = (*_FIELDS, subject)
    lengths = {name: len(columns[name]) for name in used}
    if len(set(lengths.values())) > 1:
        raise DataError(f"{file}: fields of different lengths: {lengths}; expected one entry per picture")
    try:
        numbers = {name: columns[name].astype(np.float64) for name in _NUMBERS}
        paths, names = _texts(columns["full_path"]), _texts(columns["name"])
        identities = [str(int(number)) for number in columns["celeb_id"]] if subject == "celeb_id" else names
    except (ValueError, TypeError) as error:
        raise DataError(f"{file}: a field of the wrong type ({error})") from error
    # An image without a name is a subject of its own.
    subjects = [identity or path for identity, path in zip(identities, paths, strict=True)]
    return _Table(paths, subjects, numbers)


def _texts(cells: npt.NDArray[np.generic]) -> list[str]:
    """Returns the strings of a cell array; an empty cell becomes an empty string."""
    texts = [np.ravel(np.asarray(cell)) for cell in cells]
    if not all(text.size == 0 or text.dtype.kind == "U" for text in texts):
        raise TypeError("a cell without text where a path or name belongs")
    return ["".join(text.tolist()) for text in texts]


def _read_rows(folder: Path, table: _Table) -> Iterator[SubjectRow | BadRow | LeftOut]:
    numbers = table.numbers
    ages = ages_in(numbers["photo_taken"], numbers["dob"])
    for row, path in enumerate(tracked(table.paths, "reading", "pictures")):
        gender, score = numbers["gender"][row], numbers["face_score"][row]
        if not (np.isnan(gender) or gender in (0, 1)):
            yield BadRow(f"entry {row + 1}", f"gender {gender:g}, expected 0, 1 or NaN")
        elif not np.isfinite(score):
            yield LeftOut("no face")
        elif score < MIN_SCORE:
            yield LeftOut(f"face score below {MIN_SCORE:g}")
        elif not np.isnan(numbers["second_face_score"][row]):
            yield LeftOut("second face")
        elif np.isnan(gender):
            yield LeftOut("gender unknown")
        elif not 0 <= ages[row] <= MAX_AGE:
            yield LeftOut(f"age not from 0 to {MAX_AGE}")
        else:
            image = _read_square(folder / path)
            if isinstance(image, LeftOut):
                yield image
                continue
            # The dataset has 0 for female, the device 0 for male.
            label = GENDERS.index("male" if gender == 1 else "female")
            subject = _number(table.subjects[row])
            yield SubjectRow(path, subject, label, image, attributes={"age": int(ages[row])})


def _read_square(file: Path) -> npt.NDArray[np.uint8] | LeftOut:
    """Returns the centre square of an image, (96, 96) uint8, or why the image cannot be used."""
    if not file.is_file():
        return LeftOut("file missing")
    image = decode_gray(file.read_bytes())
    if image is None:
        return LeftOut("cannot be decoded")
    height, width = image.shape
    side = min(height, width)
    if side < MIN_SIDE or max(height, width) > MAX_RATIO * side:
        return LeftOut("too small or too long")
    top, left = (height - side) // 2, (width - side) // 2
    square = image[top : top + side, left : left + side]
    return np.asarray(cv2.resize(square, (SIDE, SIDE), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _number(subject: str) -> int:
    """Returns the dataset's number of a subject, else a hash of the name, which no filter of rows changes."""
    if subject.isdecimal():
        return int(subject)
    return int.from_bytes(hashlib.blake2b(subject.encode(), digest_size=4).digest(), "big")
