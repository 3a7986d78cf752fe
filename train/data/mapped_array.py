"""Large arrays in files, which several processes read as if each had its own copy."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.errors import DataError
from edge.files import atomic_write


@dataclass(frozen=True)
class MappedArray:
    """An array in a .npy file, which is read as it is used.

    Another process receives the path instead of the content, and the system keeps one copy for all.

    Attributes:
        path: the file.
    """

    path: Path

    @classmethod
    def store(cls, path: Path, array: npt.NDArray[Any]) -> MappedArray:
        """Writes an array into a file.

        Raises:
            OutputError: the file cannot be written.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, lambda partial: np.save(partial, array))
        return cls(path)

    @cached_property
    def array(self) -> npt.NDArray[Any]:
        """The array, read-only.

        Raises:
            DataError: the file is missing or damaged.
        """
        try:
            return np.asarray(np.load(self.path, mmap_mode="r"))
        except (OSError, ValueError, EOFError) as error:
            raise DataError(f"{self.path}: no array of this package ({error}); remove it") from error

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path}
