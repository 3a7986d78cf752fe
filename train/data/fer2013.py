"""Reads FER-2013 (Goodfellow et al. 2013, arXiv:1307.0414): 48x48 gray faces with one of seven emotions.

Supported are the challenge's `fer2013.tar.gz`, `fer2013.csv`, and folders `train|val|test/<emotion>/`.
"""

from __future__ import annotations

import csv
import hashlib
import io
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from edge.errors import DataError
from edge.labels import EMOTIONS
from train.data.archives import first_line
from train.data.dataset import BadRow, Dataset, Split, check_bad_rows, decode_gray, image_id
from train.progress import tracked

SIDE = 48
_COLUMNS = ("emotion", "pixels", "Usage")
# The published splits: selection happens on PublicTest, PrivateTest is the test set.
USAGES: dict[str, Split] = {"Training": "train", "PublicTest": "val", "PrivateTest": "test"}
_FOLDERS: dict[str, Split] = {"train": "train", "val": "val", "validation": "val", "test": "test"}
# As strict as int() in half the time; some 80 million numbers are read.
_PIXELS = {str(value): value for value in range(256)}
_Row = tuple[bytes, int, Split]


def load_fer2013(path: Path) -> Dataset:
    """Reads FER-2013 in any of its forms.

    Args:
        path: a `.tar.gz` or `.csv` file, or a folder with `train/<emotion>/*.jpg`.

    Returns:
        The dataset with (N, 48, 48) images. Where there is no `val` folder, a tenth of `train` is for
        validation, chosen by a hash of the pixels.

    Raises:
        DataError: the dataset is missing, truncated or a different one, or more than 1 % of its rows are
            damaged.
    """
    if path.is_dir():
        return _assemble(path, _read_folders(path))
    with _open_csv(path) as text:
        return _assemble(path, _read_csv(path, text))


def _assemble(path: Path, rows: Iterable[_Row | BadRow]) -> Dataset:
    good: list[_Row] = []
    bad: list[BadRow] = []
    for row in tracked(rows, f"reading {path.name}", "rows"):
        if isinstance(row, BadRow):
            bad.append(row)
        else:
            good.append(row)
    bad_rows = check_bad_rows(f"FER-2013 in {path}", bad, len(good))
    pixels = np.frombuffer(b"".join(row[0] for row in good), dtype=np.uint8)
    return Dataset(
        name="FER-2013",
        images=pixels.reshape(-1, SIDE, SIDE),
        labels=np.array([row[1] for row in good], dtype=np.int64),
        label_names=EMOTIONS,
        ids=tuple(image_id(row[0]) for row in good),
        splits=np.array([row[2] for row in good]),
        bad_rows=bad_rows,
    )


@contextmanager
def _open_csv(path: Path) -> Iterator[io.TextIOBase]:
    """Opens the CSV file, inside an archive or not; errors while it is read are raised as DataError."""
    try:
        if path.suffix == ".csv":
            with path.open(encoding="ascii", newline="") as text:
                yield text
            return
        with tarfile.open(path) as archive:
            member = next((item for item in archive if item.name.endswith("fer2013.csv")), None)
            stream = None if member is None else archive.extractfile(member)
            if stream is None:
                raise DataError(f"{path}: holds no fer2013.csv")
            with io.TextIOWrapper(stream, encoding="ascii", newline="") as text:
                yield text
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise DataError(
            f"{path}: a damaged or truncated archive ({first_line(error)}); get it again"
        ) from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as FER-2013 ({error})") from error


def _read_csv(path: Path, text: io.TextIOBase) -> Iterator[_Row | BadRow]:
    csv.field_size_limit(1 << 20)
    reader = csv.reader(text)
    header = [name.strip() for name in next(reader, [])]
    missing = [name for name in _COLUMNS if name not in header]
    if missing:
        raise DataError(f"{path}: no column {', '.join(missing)}; expected {', '.join(_COLUMNS)}")
    indices = [header.index(name) for name in _COLUMNS]
    for row in reader:
        try:
            label, pixels, usage = (row[index] for index in indices)
            yield _parse(label, pixels, usage)
        except IndexError:
            yield BadRow(f"line {reader.line_num}", f"{len(row)} columns, expected {len(header)}")
        except ValueError as error:
            yield BadRow(f"line {reader.line_num}", str(error))


def _parse(label: str, pixels: str, usage: str) -> _Row:
    try:
        image = bytes(map(_PIXELS.__getitem__, pixels.split()))
    except KeyError as error:
        raise ValueError(f"pixel {error}, expected whole numbers from 0 to 255") from error
    if len(image) != SIDE * SIDE:
        raise ValueError(f"{len(image)} pixels, expected {SIDE * SIDE}")
    if not label.isdecimal() or int(label) >= len(EMOTIONS):
        raise ValueError(f"emotion {label!r}, expected 0 to {len(EMOTIONS) - 1}")
    if usage not in USAGES:
        raise ValueError(f"Usage {usage!r}, expected one of {', '.join(USAGES)}")
    return image, int(label), USAGES[usage]


def _read_folders(path: Path) -> Iterator[_Row | BadRow]:
    has_val = any((path / name).is_dir() for name, split in _FOLDERS.items() if split == "val")
    for folder in sorted(item for item in path.glob("*/*") if item.is_dir()):
        split = _FOLDERS.get(folder.parent.name)
        if split is None:
            continue
        if folder.name.lower() not in EMOTIONS:
            raise DataError(f"{folder}: not an emotion; expected one of {', '.join(EMOTIONS)}")
        label = EMOTIONS.index(folder.name.lower())
        for file in sorted(folder.iterdir()):
            image = decode_gray(file.read_bytes())
            if image is None:
                yield BadRow(str(file), "cannot be decoded as a picture")
            elif image.shape != (SIDE, SIDE):
                yield BadRow(str(file), f"{image.shape[1]}x{image.shape[0]}, expected {SIDE}x{SIDE}")
            else:
                pixels = image.tobytes()
                held_out = split == "train" and not has_val and hashlib.blake2b(pixels).digest()[0] % 10 == 0
                yield pixels, label, "val" if held_out else split
