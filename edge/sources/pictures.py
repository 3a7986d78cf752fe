"""Decodes still pictures: files, and the JPEGs of cameras."""

from __future__ import annotations

import logging
from pathlib import Path

import cv2
import numpy as np

from edge.files import read_regular
from edge.sources.picture_header import MAX_BYTES, UnreadableError, check_jpeg, check_picture
from edge.types import Gray

logger = logging.getLogger(__name__)


def read_picture(path: Path) -> Gray:
    """Reads a JPEG, PNG, WebP or BMP file, whatever its name, turned upright as its camera noted.

    Returns:
        (H, W) uint8.

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
        (H, W) uint8; None if it is no JPEG, damaged, or too large.
    """
    try:
        return _decode(check_jpeg(content))
    except UnreadableError as error:
        logger.debug("a camera's picture: %s", error)
        return None


def _decode(content: bytes) -> Gray:
    try:
        gray = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_GRAYSCALE)
    except cv2.error as error:  # more pixels than the environment allows, or no memory
        raise UnreadableError(error.err) from error
    if gray is None:
        raise UnreadableError("damaged")
    return np.asarray(gray, dtype=np.uint8)
