"""One small file with all that a training on the accelerator needs: pictures as WebP mosaics."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from edge.errors import DataError

Array: TypeAlias = npt.NDArray[Any]

_ROWS, _COLUMNS = 30, 50
# OpenCV's numbers for WebP; above 100 stands for "without loss".
_LOSSLESS, _LOSSY = 101, 95


def write_pack(path: Path, arrays: Mapping[str, Array], lossy: bool = False) -> None:
    """Writes arrays; those of pictures, (N, S, S) uint8, without loss at about 0.7 of their size.

    Args:
        path: file to write.
        arrays: {name: array}.
        lossy: whether pictures for training may change by a gray level on average, at about 0.45 of their
            size; those for validation, "val_images", never do.
    """
    contents: dict[str, Any] = {}
    for name, array in arrays.items():
        if array.ndim == 3 and array.dtype == np.uint8:
            contents[f"{name}.shape"] = np.array(array.shape)
            quality = _LOSSY if lossy and not name.startswith("val_") else _LOSSLESS
            for number, mosaic in enumerate(_mosaics(array)):
                _, content = cv2.imencode(".webp", mosaic, [cv2.IMWRITE_WEBP_QUALITY, quality])
                contents[f"{name}.{number:03d}.webp"] = content.ravel()
        else:
            contents[name] = array
    with path.open("wb") as file:  # given a path, numpy would add a suffix
        np.savez(file, **contents)


def read_task(path: Path) -> str:
    """Returns the task that a pack is for.

    Raises:
        DataError: the file is missing, damaged or no pack.
    """
    try:
        with np.load(path) as contents:
            return str(contents["task"])
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: no file of `python -m train pack` ({error})") from error


def read_pack(path: Path) -> dict[str, Array]:
    """Reads what `write_pack` wrote."""
    arrays: dict[str, Array] = {}
    with np.load(path) as contents:
        for name in contents.files:
            if name.endswith(".shape"):
                arrays[name[:-6]] = _pictures(contents, name[:-6], tuple(contents[name]))
            elif not name.endswith(".webp"):
                arrays[name] = contents[name]
    return arrays


def _mosaics(array: Array) -> list[Array]:
    size, each = array.shape[1], _ROWS * _COLUMNS
    mosaics = []
    for start in range(0, len(array), each):
        part = array[start : start + each]
        full = np.zeros((each, size, size), np.uint8)
        full[: len(part)] = part
        grid = full.reshape(_ROWS, _COLUMNS, size, size).transpose(0, 2, 1, 3)
        mosaics.append(grid.reshape(_ROWS * size, _COLUMNS * size))
    return mosaics


def _pictures(contents: np.lib.npyio.NpzFile, name: str, shape: tuple[int, ...]) -> Array:
    size = shape[1]
    names = sorted(each for each in contents.files if each.startswith(f"{name}.") and each.endswith(".webp"))
    parts = []
    for each in names:
        mosaic = np.asarray(cv2.imdecode(contents[each], cv2.IMREAD_GRAYSCALE), np.uint8)
        grid = mosaic.reshape(_ROWS, size, _COLUMNS, size).transpose(0, 2, 1, 3)
        parts.append(grid.reshape(-1, size, size))
    pictures: Array = np.concatenate(parts)[: shape[0]]
    return pictures
