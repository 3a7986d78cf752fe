"""Networks with one flipped bit, and contracts with the checksum to match, as no checksum refuses them."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from edge.inference.contract import read_model


def flip(model: Path, bit: int, folder: Path) -> Path:
    """Writes a copy of a network with one flipped bit, and its contract, and returns the path of the network.

    Args:
        model: The network.
        bit: Number of the bit: 8 * byte + the power of two.
        folder: Where both files are written.
    """
    contract, content = read_model(model)
    flipped = bytearray(content)
    flipped[bit // 8] ^= 1 << bit % 8
    renewed = replace(contract, sha256=hashlib.sha256(flipped).hexdigest())
    folder.mkdir(exist_ok=True)
    path = renewed.write(folder).with_suffix(".tflite")
    path.write_bytes(flipped)
    return path
