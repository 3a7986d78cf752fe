"""Files that are there whole or not at all, and reads that neither hang nor fill the memory."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from edge.errors import OutputError


def atomic_write(path: Path, write: Callable[[Path], object]) -> None:
    """Writes a file under another name in the same folder, then renames it.

    Args:
        path: the file; one that exists is replaced.
        write: receives the temporary path and writes the whole content there. Its suffix is that of `path`,
            because some writers choose their format by it.

    Raises:
        OutputError: the file cannot be written; a file that was at `path` before is untouched, and no part
            of the new one is left behind.
    """
    partial = path.with_name(f"partial-{path.name}")
    try:
        write(partial)
        partial.replace(path)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {os_error_reason(error)}") from error
    finally:
        with suppress(FileNotFoundError, NotADirectoryError):
            partial.unlink()


def os_error_reason(error: OSError) -> str:
    """The system's words for an error number; HDF5's own messages are pages long."""
    return os.strerror(error.errno) if error.errno else str(error)


def is_utf8(text: str | Path) -> bool:
    """Returns whether a text of the command line or the environment was UTF-8.

    Python keeps other bytes as lone surrogates, which are fine for files that it opens itself. A library
    refuses such a text with any exception, and OpenCV ends the process when it is given one.
    """
    try:
        str(text).encode()
    except UnicodeEncodeError:
        return False
    return True


def read_regular(path: Path, max_bytes: int) -> bytes:
    """Reads a file that somebody named, which may be anything.

    Only regular files are read: /dev/zero has no end, and a pipe that nobody writes to is waited for without
    an end, in which no signal is noticed. /dev/null stands for an empty file.

    Args:
        path: The file.
        max_bytes: The size of the largest file that can be what the caller expects.

    Raises:
        OSError: There is no such file, or it cannot be read, or it is too large or none of the above;
            `strerror` says which.
    """
    if _is_null_device(path):
        return b""
    with os.fdopen(open_regular_file(path), "rb") as file:
        size_bytes = os.fstat(file.fileno()).st_size
        content = file.read(max_bytes + 1) if size_bytes <= max_bytes else None
    if size_bytes > max_bytes or (content is not None and len(content) > max_bytes):
        raise OSError(errno.EFBIG, f"larger than {_size(max_bytes)}", str(path))
    # The files of /proc have no size; some have no end, such as /proc/kmsg.
    if content is None or (content and not size_bytes):
        raise OSError(errno.EINVAL, "made by the system; expected a regular file", str(path))
    return content


def open_regular_file(path: Path) -> int:
    """Opens a file to read, and returns its descriptor, which the caller closes.

    Raises:
        OSError: There is no such file, it may not be read, or it is a folder, a device, a pipe or a socket.
    """
    # Before it is opened, which is enough to start some devices.
    _refuse_irregular(path, path.stat().st_mode)
    # If it was replaced meanwhile: to open a pipe would wait for its writer.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        _refuse_irregular(path, os.fstat(descriptor).st_mode)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _refuse_irregular(path: Path, mode: int) -> None:
    if stat.S_ISREG(mode):
        return
    if stat.S_ISDIR(mode):
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    kind = "a pipe" if stat.S_ISFIFO(mode) else "a socket" if stat.S_ISSOCK(mode) else "a device"
    raise OSError(errno.EINVAL, f"{kind}; expected a regular file", str(path))


def _is_null_device(path: Path) -> bool:
    status = path.stat()
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == Path(os.devnull).stat().st_rdev


def _size(count_bytes: int) -> str:
    return f"{count_bytes >> 20} MB" if count_bytes >= 1 << 20 else f"{count_bytes >> 10} kB"
