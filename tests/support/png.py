"""PNG files whose header and content need not agree."""

from __future__ import annotations

import struct
import zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(kind: bytes, data: bytes) -> bytes:
    """Returns a chunk with its length and checksum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(size_wh: tuple[int, int], *before: bytes, bits: int = 8, rows: int | None = None) -> bytes:
    """Returns a black picture.

    Args:
        size_wh: Width and height in pixels.
        before: Chunks between the header and the pixels.
        bits: Bits a pixel, 1 or 8.
        rows: Number of rows that are there; None for all.
    """
    width, height = size_wh
    packer = zlib.compressobj(9)
    row = bytes(1 + (width * bits + 7) // 8)
    packed = b"".join(packer.compress(row) for _ in range(height if rows is None else rows)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    return b"".join([SIGNATURE, chunk(b"IHDR", header), *before, chunk(b"IDAT", packed), chunk(b"IEND", b"")])


def animation(size_wh: tuple[int, int]) -> tuple[bytes, bytes]:
    """Returns the chunks that make a picture the first of two."""
    width, height = size_wh
    frame = struct.pack(">IIIIIHHBB", 0, width, height, 0, 0, 1, 1, 0, 0)
    return chunk(b"acTL", struct.pack(">II", 2, 0)), chunk(b"fcTL", frame)
