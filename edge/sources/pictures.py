"""Decodes still pictures: files, and the JPEGs of cameras."""

from __future__ import annotations

import logging
from pathlib import Path

import cv2
import numpy as np

from edge.files import read_regular
from edge.sources.picture_header import (
    MAX_BYTES,
    CheckedPicture,
    UnreadableError,
    check_jpeg,
    check_picture,
)
from edge.types import Gray

logger = logging.getLogger(__name__)


def read_picture(path: Path) -> Gray:
    """Reads a JPEG, PNG, WebP or BMP file, whatever its name, turned upright as its camera noted.

    Returns:
        (H, W) uint8; of a JPEG of more than 20 million pixels, half its height and width.

    Raises:
        UnreadableError: The file is not there, of another format, damaged, or too large.
    """
    try:
        content = read_regular(path, MAX_BYTES)
    except OSError as error:
        raise UnreadableError(error.strerror) from error
    return _decode(check_picture(content))


def decode_jpeg(content: bytes) -> Gray | None:
    """Decodes what a camera sends as a JPEG.

    Returns:
        (H, W) uint8, as `read_picture` does; None if it is no JPEG, damaged, or too large.
    """
    try:
        return _decode(check_jpeg(content))
    except UnreadableError as error:
        logger.debug("a camera's picture: %s", error)
        return None


def _decode(picture: CheckedPicture) -> Gray:
    mode = cv2.IMREAD_REDUCED_GRAYSCALE_2 if picture.is_halved else cv2.IMREAD_GRAYSCALE
    try:
        gray = cv2.imdecode(np.frombuffer(picture.content, np.uint8), mode)
    except cv2.error as error:  # more pixels than the environment allows, or no memory
        raise UnreadableError(error.err) from error
    if gray is None:
        raise UnreadableError("damaged")
    return np.asarray(gray, dtype=np.uint8)
