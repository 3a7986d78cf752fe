"""Format and size of a picture in a file, read before anything decodes it.

A decoder trusts a header: 115 bytes can make OpenCV take 5 GB. Formats that are not needed here are not
decoded at all, foremost JPEG 2000, with which OpenCV 4.10 and 4.11 can be made to write beyond their memory
(CVE-2025-53644).
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from operator import mul

# The worst file of that size, a progressive CMYK JPEG, takes 190 MB to decode.
MAX_PIXELS = 20_000_000
# The largest of telephones with 50 million. Only JPEG's decoder can leave out every other row and column.
MAX_JPEG_PIXELS = 8192 * 6144
# A JPEG in several passes is held whole as coefficients of 2 bytes, whatever size it is decoded at. This is
# that CMYK JPEG; one of 50 million pixels, with the usual half of the colours' rows and columns, has less.
_MAX_COEFFICIENT_BYTES = MAX_PIXELS * 4 * 2
# A picture of 20 million pixels, but not without any compression.
MAX_BYTES = 64 << 20
# No side of a JPEG is longer.
_MAX_SIDE = 65_535
# A progressive JPEG has a dozen scans; each of thousands takes as long as the whole picture.
_MAX_SCANS = 64

_PNG = b"\x89PNG\r\n\x1a\n"
# What a still picture needs: size, palette, pixels, end, and the orientation.
_PNG_CHUNKS = (b"IHDR", b"PLTE", b"IDAT", b"IEND", b"eXIf")
# Markers of a JPEG without a length: TEM, and the restarts.
_LONE_MARKERS = (0x01, *range(0xD0, 0xD8))
# Starts of frames, SOF0 to SOF15: these numbers without DHT, JPG and DAC.
_FRAME_MARKERS = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SEQUENTIAL_MARKERS = (0xC0, 0xC1, 0xC9)
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9


class UnreadableError(ValueError):
    """A picture is of a format that is not read, damaged, or too large."""


@dataclass(frozen=True)
class CheckedPicture:
    """A picture whose header was checked.

    Attributes:
        content: What may be decoded.
        is_halved: Whether it must be decoded at half its width and height, because it has more pixels than
            the memory is for.
    """

    content: bytes
    is_halved: bool = False


def limit_opencv() -> None:
    """Makes OpenCV itself refuse larger pictures, unless the environment says otherwise.

    A second line of defence, for a header that OpenCV reads differently. No use once OpenCV is imported.
    """
    os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(MAX_JPEG_PIXELS))
    os.environ.setdefault("OPENCV_IO_MAX_IMAGE_WIDTH", str(_MAX_SIDE))
    os.environ.setdefault("OPENCV_IO_MAX_IMAGE_HEIGHT", str(_MAX_SIDE))


def check_picture(content: bytes) -> CheckedPicture:
    """Checks a picture by its header, and returns what may be decoded of it.

    Args:
        content: A JPEG, PNG, WebP or BMP file.

    Returns:
        The picture; a PNG without texts, profiles and animation, whose decoding takes time and memory.

    Raises:
        UnreadableError: It is of another format, animated, damaged at its beginning, or too large.
    """
    try:
        if content.startswith(b"\xff\xd8\xff"):
            return check_jpeg(content)
        if content.startswith(_PNG):
            content = b"".join([_PNG, *_png_chunks(content)])
            size_wh = struct.unpack_from(">II", content, 16)
        elif content.startswith(b"BM"):
            size_wh = _bmp_size(content)
        elif content.startswith(b"RIFF") and content[8:12] == b"WEBP":
            size_wh = _webp_size(content)
        else:
            raise UnreadableError("neither JPEG, PNG, WebP nor BMP")
    except (struct.error, IndexError) as error:
        raise UnreadableError("cut off") from error
    _check_size(MAX_PIXELS, *size_wh)
    return CheckedPicture(content)


def check_jpeg(content: bytes) -> CheckedPicture:
    """Checks a JPEG as `check_picture` does.

    Raises:
        UnreadableError: It is not a JPEG, damaged at its beginning, or too large.
    """
    try:
        width, height, held_bytes = _jpeg_size(content)
    except (struct.error, IndexError) as error:
        raise UnreadableError("cut off") from error
    _check_size(MAX_JPEG_PIXELS, width, height)
    if held_bytes > _MAX_COEFFICIENT_BYTES:
        raise UnreadableError(
            f"{width}x{height} pixels of a progressive JPEG, which takes {held_bytes // 10**6} MB; expected "
            f"{_MAX_COEFFICIENT_BYTES // 10**6} MB at most, or a baseline JPEG"
        )
    # Within the coded pixels no other byte than 0 or a restart follows 255.
    if content.count(bytes((0xFF, _START_OF_SCAN))) > _MAX_SCANS:
        raise UnreadableError(f"more than {_MAX_SCANS} scans")
    return CheckedPicture(content, is_halved=width * height > MAX_PIXELS)


def _check_size(max_pixels: int, width: int, height: int) -> None:
    if not width or not height:
        raise UnreadableError(f"{width}x{height} pixels")
    if width * height > max_pixels or max(width, height) > _MAX_SIDE:
        raise UnreadableError(f"{width}x{height} pixels; expected {max_pixels // 10**6} million at most")


def _jpeg_size(content: bytes) -> tuple[int, int, int]:
    """Returns width, height, and how many bytes of coefficients the decoder holds.

    Follows the markers as libjpeg does, which skips what stands between.
    """
    if not content.startswith(b"\xff\xd8"):
        raise UnreadableError("not a JPEG")
    frame: tuple[int, int] | None = None  # marker and position
    position = 2
    while True:
        position = content.find(b"\xff", position)
        if position < 0:
            raise UnreadableError("cut off" if frame else "no size in its header")
        while content[position] == 0xFF:
            position += 1
        marker = content[position]
        position += 1
        if marker == 0 or marker in _LONE_MARKERS:
            continue
        if marker == _START_OF_SCAN and frame:
            height, width, count = struct.unpack_from(">HHB", content, frame[1] + 3)
            is_one_pass = frame[0] in _SEQUENTIAL_MARKERS and content[position + 2] == count
            return width, height, 0 if is_one_pass else _coefficient_bytes(content, frame[1])
        if marker in (_START_OF_SCAN, _END_OF_IMAGE):
            raise UnreadableError("no size before its pixels")
        if marker in _FRAME_MARKERS:
            if frame:
                raise UnreadableError("two sizes in its header")
            frame = marker, position
        (length,) = struct.unpack_from(">H", content, position)
        if length < 2:
            raise UnreadableError("damaged in its header")
        position += length


def _coefficient_bytes(content: bytes, frame: int) -> int:
    """Returns the bytes of all components' coefficients, each component sampled as its header says."""
    height, width, count = struct.unpack_from(">HHB", content, frame + 3)
    samplings = [content[frame + 9 + 3 * number] for number in range(count)]
    across, down = [each >> 4 for each in samplings], [each & 15 for each in samplings]
    whole = max(across, default=0) * max(down, default=0)
    if not whole:
        raise UnreadableError("damaged in its header")
    return int(2 * width * height * sum(map(mul, across, down)) // whole)


def _png_chunks(content: bytes) -> Iterator[bytes]:
    """Yields the chunks that a still picture needs, each with its length, type and checksum."""
    position = len(_PNG)
    kind = b""
    while position < len(content) and kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", content, position)
        if position == len(_PNG) and (kind, length) != (b"IHDR", 13):
            raise UnreadableError("damaged in its header")
        end = position + 12 + length
        if end > len(content):  # OpenCV takes the memory for all that a chunk claims to hold
            raise UnreadableError("cut off")
        if kind in _PNG_CHUNKS:
            yield content[position:end]
        position = end


def _bmp_size(content: bytes) -> tuple[int, int]:
    (header_bytes,) = struct.unpack_from("<I", content, 14)
    width, height = struct.unpack_from("<HH" if header_bytes == 12 else "<ii", content, 18)
    return abs(width), abs(height)


def _webp_size(content: bytes) -> tuple[int, int]:
    kind = content[12:16]
    if kind == b"VP8X":
        if content[20] & 0x02:
            raise UnreadableError("animated; expected a still picture")
        sides = [int.from_bytes(content[start : start + 3], "little") + 1 for start in (24, 27)]
        return sides[0], sides[1]
    if kind == b"VP8L":
        (packed,) = struct.unpack_from("<I", content, 21)
        return (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", content, 26)
        return width & 0x3FFF, height & 0x3FFF
    raise UnreadableError("damaged in its header")
