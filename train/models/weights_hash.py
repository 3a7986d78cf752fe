"""What tells two networks apart: their weights, not the files that hold them."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

import h5py
import numpy as np

from edge.errors import DataError


def weights_digest(path: Path) -> str:
    """The sha256 of a checkpoint's weights by name, in hexadecimal.

    A checkpoint says when it was saved and may hold its optimizer: saved again, or restored elsewhere, the
    same network is another file, but has the same digest.

    Args:
        path: of a .keras file.

    Raises:
        DataError: it cannot be read, or is no such file.
    """
    digest = hashlib.sha256()

    def add(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            values = np.asarray(item)
            digest.update(f"{name} {values.dtype.str} {values.shape}".encode() + values.tobytes())

    try:
        with zipfile.ZipFile(path) as file, h5py.File(io.BytesIO(file.read("model.weights.h5"))) as weights:
            weights["layers"].visititems(add)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: not a checkpoint of this package ({error}); train anew") from error
    return digest.hexdigest()
