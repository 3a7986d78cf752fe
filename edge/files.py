"""Files that are there whole or not at all, for all three packages."""

from __future__ import annotations

import os
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
