"""Arrays that take minutes to compute: kept in a file, and computed row by row.

Each row is written as soon as it is computed, so an interrupted computation is resumed from the file.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from edge.errors import OutputError
from edge.files import os_error_reason
from train.progress import tracked

logger = logging.getLogger(__name__)

_Scalar = TypeVar("_Scalar", bound=np.generic)


def cache_path(folder: Path, kind: str, key: Mapping[str, object]) -> Path:
    """Returns the path of the array that a key stands for.

    Args:
        folder: folder of the cache.
        kind: what the array holds; the first part of the file's name.
        key: everything that decides the array's content; JSON must be able to hold it.
    """
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
    return folder / f"{kind}-{digest[:16]}.npy"


def cached_array(
    path: Path,
    shape: tuple[int, ...],
    dtype: type[_Scalar],
    compute: Callable[[int], npt.NDArray[_Scalar]],
    description: str,
) -> npt.NDArray[_Scalar]:
    """Returns the array in a file; computes it first if there is no such file.

    Of several processes that want the same file, one computes it and the others wait.

    Args:
        path: the .npy file; its name stands for everything that decides its content (see `cache_path`).
        shape: shape of the array.
        dtype: dtype of the array.
        compute: takes the index of a row and returns the row, (shape[1], ...).
        description: what is done, for the display.

    Returns:
        The array, read-only, read from the file as it is used.

    Raises:
        OutputError: the file cannot be written; the rows that were written are kept.
    """
    if not path.exists():
        _compute_file(path, shape, np.dtype(dtype), compute, description)
    array: npt.NDArray[_Scalar] = np.load(path, mmap_mode="r")
    return array


def _compute_file(
    path: Path,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    compute: Callable[[int], npt.NDArray[Any]],
    description: str,
) -> None:
    # Not `edge.files.atomic_write`: that removes what an interruption leaves behind, and this continues it.
    partial = path.with_name(f"partial-{path.name}")
    with _output_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = partial.open("ab", buffering=0)
    with file:
        _lock(file, path)
        if path.exists():  # computed by the process that held the lock
            partial.unlink(missing_ok=True)
            return
        with _output_errors(path):
            done = _resume(file, shape, dtype)
        for index in tracked(range(done, shape[0]), description, "views", shape[0], done):
            row = np.ascontiguousarray(compute(index), dtype)
            with _output_errors(path):
                _append(file, row.tobytes())
                os.fsync(file.fileno())
        partial.replace(path)


@contextmanager
def _output_errors(path: Path) -> Iterator[None]:
    """Turns the system's errors into errors of this file; `compute`, outside of it, raises its own."""
    try:
        yield
    except OSError as error:
        raise OutputError(f"cannot write {path}: {os_error_reason(error)}") from error


def _lock(file: io.FileIO, path: Path) -> None:
    """Locks the file until it is closed or this process ends."""
    with _output_errors(path):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            logger.info("waiting for another process, which computes %s", path)
            fcntl.flock(file, fcntl.LOCK_EX)


def _resume(file: io.FileIO, shape: tuple[int, ...], dtype: np.dtype[Any]) -> int:
    """Truncates the file to its header and its complete rows; returns the number of those rows."""
    buffer = io.BytesIO()
    fields = {"descr": dtype.str, "fortran_order": False, "shape": shape}
    # Typed in numpy 2 only.
    write_header: Any = np.lib.format.write_array_header_1_0
    write_header(buffer, fields)
    header = buffer.getvalue()
    row_bytes = int(np.prod(shape[1:])) * dtype.itemsize
    # The last row is computed again: after a power cut it can have the right length and hold nothing.
    done = max(0, (os.fstat(file.fileno()).st_size - len(header)) // row_bytes - 1)
    if done:
        file.truncate(len(header) + done * row_bytes)
    else:
        file.truncate(0)
        _append(file, header)
    return done


def _append(file: io.FileIO, content: bytes) -> None:
    """Writes all of the content: an unbuffered file may accept only a part of it at a time."""
    remaining = memoryview(content)
    while remaining:
        remaining = remaining[file.write(remaining) :]
