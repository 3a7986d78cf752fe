"""Arrays that take minutes to make: kept in files, made piece by piece, once, whatever breaks in on it."""

from __future__ import annotations

import fcntl
import io
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from edge.errors import OutputError
from edge.files import os_error_reason

logger = logging.getLogger(__name__)

_Scalar = TypeVar("_Scalar", bound=np.generic)


def cached_array(
    path: Path,
    shape: tuple[int, ...],
    dtype: type[_Scalar],
    make: Callable[[int], npt.NDArray[_Scalar]],
    doing: str,
) -> npt.NDArray[_Scalar]:
    """The array in a file, which is made if it is not there yet.

    What was broken off goes on with the piece that it broke off in. Of several processes that want the same
    file, one makes it and the others wait.

    Args:
        path: of the .npy file; its name says all that decides its content.
        shape: of the array.
        dtype: of the array.
        make: from the number of a piece to the piece, (shape[1], ...).
        doing: what the progress bar says.

    Returns:
        The array, read-only, read from the file as it is used.

    Raises:
        OutputError: the file cannot be written; the pieces that were are kept.
    """
    if not path.exists():
        _make(path, shape, np.dtype(dtype), make, doing)
    found: npt.NDArray[_Scalar] = np.load(path, mmap_mode="r")
    return found


def _make(
    path: Path,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    make: Callable[[int], npt.NDArray[Any]],
    doing: str,
) -> None:
    partial = path.with_name(f"partial-{path.name}")
    with _writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = partial.open("ab", buffering=0)
    with file:
        _lock(file, path)
        if path.exists():  # made by the process that was waited for
            partial.unlink(missing_ok=True)
            return
        with _writing(path):
            done = _resume(file, shape, dtype)
        for number in tqdm(range(done, shape[0]), doing, shape[0], initial=done, unit="view"):
            piece = np.ascontiguousarray(make(number), dtype)
            with _writing(path):
                _append(file, piece.tobytes())
                os.fsync(file.fileno())
        partial.replace(path)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """What the system refuses here is refused to this file; what `make` meets has reasons of its own."""
    try:
        yield
    except OSError as error:
        raise OutputError(f"cannot write {path}: {os_error_reason(error)}") from error


def _lock(file: io.FileIO, path: Path) -> None:
    """Until the file is closed, or its process dies."""
    with _writing(path):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            logger.info("waiting for another process, which makes %s", path)
            fcntl.flock(file, fcntl.LOCK_EX)


def _resume(file: io.FileIO, shape: tuple[int, ...], dtype: np.dtype[Any]) -> int:
    """Leaves the header and the pieces that are whole; their number."""
    text = io.BytesIO()
    fields = {"descr": dtype.str, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(text, fields)  # type: ignore[no-untyped-call]
    header = text.getvalue()
    size = int(np.prod(shape[1:])) * dtype.itemsize
    # The last piece is made again: after a power cut it can be of the right length and hold nothing.
    done = max(0, (os.fstat(file.fileno()).st_size - len(header)) // size - 1)
    if done:
        file.truncate(len(header) + done * size)
    else:
        file.truncate(0)
        _append(file, header)
    return done


def _append(file: io.FileIO, content: bytes) -> None:
    """All of it: a file without a buffer may take less at a time, but nothing is left to be written later."""
    left = memoryview(content)
    while left:
        left = left[file.write(left) :]
