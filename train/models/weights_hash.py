"""Hashes the weights of a network, which identify it whatever file stores them."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

import h5py
import numpy as np

from edge.errors import DataError


def weights_digest(path: Path) -> str:
    """Returns the SHA-256 of a checkpoint's weights and their names, in hexadecimal.

    A checkpoint stores its date and may store the optimizer: the same network, saved again or restored, is a
    different file with the same digest.

    Args:
        path: path of a .keras file.

    Raises:
        DataError: the file cannot be read, or is not a .keras file.
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
