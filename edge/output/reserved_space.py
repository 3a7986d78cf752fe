"""Reserves room on a disk for a file that grows, so that no other program can take it."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

# From linux/falloc.h: the size of the file stays that of its content.
_KEEP_SIZE = 1
# So much is reserved at once while there is room, to do so seldom.
_STEP_BYTES = 1 << 23
# The system or the file system cannot reserve; the disk may still have room.
_UNSUPPORTED = (errno.EOPNOTSUPP, errno.ENOSYS, errno.EPERM, errno.EINVAL)


class ReservedSpace:
    """Room behind the end of a file that another writer appends to.

    That writer needs to know nothing of it: what it writes goes to the reserved place.
    """

    def __init__(self, path: Path) -> None:
        """Reserves nothing yet.

        Args:
            path: The file; must exist.

        Raises:
            OSError: The file cannot be opened.
        """
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        self._end_bytes = 0

    def reserve(self, count_bytes: int) -> bool:
        """Makes sure that so many bytes fit behind the present end of the file.

        Returns:
            Whether that is certain; False on a file system that cannot reserve room.

        Raises:
            OSError: There is no room on the disk.
        """
        size_bytes = os.fstat(self._descriptor).st_size
        if size_bytes + count_bytes <= self._end_bytes:
            return True
        try:
            try:
                self._allocate(size_bytes + max(count_bytes, _STEP_BYTES))
            except OSError as error:
                if error.errno in _UNSUPPORTED:
                    raise
                self._allocate(size_bytes + count_bytes)
        except OSError as error:
            if error.errno in _UNSUPPORTED:
                return False
            raise
        return True

    def close(self) -> None:
        """Gives back what the file does not need. Called once, after its last byte was written."""
        try:
            os.ftruncate(self._descriptor, os.fstat(self._descriptor).st_size)
        finally:
            os.close(self._descriptor)

    def _allocate(self, end_bytes: int) -> None:
        if _fallocate()(self._descriptor, _KEEP_SIZE, 0, end_bytes):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        self._end_bytes = end_bytes


@cache
def _fallocate() -> Callable[[int, int, int, int], int]:
    """Returns the C library's fallocate with sizes of 64 bits; Python's own changes the size of the file."""
    library = ctypes.CDLL(None, use_errno=True)
    function: Any = getattr(library, "fallocate64", None) or getattr(library, "fallocate", None)
    if function is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    function.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    return lambda *arguments: int(function(*arguments))
