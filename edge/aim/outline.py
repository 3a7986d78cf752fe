"""Turns a frame into lines that show where the camera looks, and not who stands there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from edge.types import Box, Gray

_Floats: TypeAlias = npt.NDArray[np.float32]

# The longer side of the lines' picture, and of the small copy that it is made from.
_SIDE, _SMALL_SIDE = 640, 160
# The small copy is blurred by this standard deviation, an 80th of its longer side.
_BLUR_PX = _SMALL_SIDE / 80
# This share of the pixels has too little contrast for a line to begin, and where a line goes on.
_WEAK_PERCENT, _CONTINUE = 80, 0.15
# Gray levels per pixel of the small copy; below it is the noise of a dark room or of a blank wall.
_NOISE = 1.0
# Canny takes whole numbers; gradients are scaled so that a line begins at this one.
_BEGINS = 1000
# Lines that reach less far are left out, a sixteenth of the longer side; the others may differ by this much
# from where the edge is. Both in pixels of the lines' picture. tests/edge/aim/test_recognition.py measures
# how many people can be told from the lines.
_LEAST_PX, _TOLERANCE_PX = 40, 4.0
# A face's box is covered together with this share of its side all around, because hair and chin reach
# beyond it.
_MARGIN = 0.3


def outline(gray: Gray, faces: Iterable[Box]) -> Gray:
    """Draws the long lines of a frame, and nothing inside of faces.

    What is between two lines is lost, as are short lines and the shape of long ones in detail. This happens
    on the device, before a picture is encoded.

    Args:
        gray: (H, W) uint8.
        faces: Boxes that may hold a face, in pixels of the frame.

    Returns:
        (h, w) uint8, of the frame's proportions, 640 pixels on the longer side: bright lines on 0.
    """
    scale = _SIDE / max(gray.shape)
    size_wh = max(1, round(gray.shape[1] * scale)), max(1, round(gray.shape[0] * scale))
    # A line is where the gradient of the small copy is largest: enlarged, the gradient is smooth, whereas an
    # enlarged copy would have a corner, and so a line, at every pixel.
    gradient = _gradient(gray)
    begins = max(float(np.percentile(np.abs(gradient).sum(axis=2), _WEAK_PERCENT)), _NOISE)
    enlarged = cv2.resize(gradient * (_BEGINS / begins), size_wh, interpolation=cv2.INTER_CUBIC)
    whole = cv2.split(enlarged.clip(-32768, 32767).astype(np.int16))
    lines = np.asarray(cv2.Canny(whole[0], whole[1], _BEGINS * _CONTINUE, _BEGINS), dtype=np.uint8)
    for box in faces:
        _cover(lines, box, scale)
    return _simplified(lines)


def _gradient(gray: Gray) -> _Floats:
    """Returns the change of the blurred small copy in gray levels per pixel, (h, w, 2): across and down."""
    ratio = _SMALL_SIDE / max(gray.shape)
    small_wh = max(1, round(gray.shape[1] * ratio)), max(1, round(gray.shape[0] * ratio))
    small = cv2.resize(gray, small_wh, interpolation=cv2.INTER_AREA).astype(np.float32)
    blurred = cv2.GaussianBlur(small, (0, 0), _BLUR_PX)
    across, down = (cv2.Sobel(blurred, cv2.CV_32F, *order, scale=1 / 8) for order in ((1, 0), (0, 1)))
    return np.dstack([across, down])


def _simplified(lines: Gray) -> Gray:
    """Leaves out short lines, such as those of eyes and mouth, and straightens the others."""
    drawn = np.zeros_like(lines)
    for each in cv2.findContours(lines, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)[0]:
        _, _, width, height = cv2.boundingRect(each)
        if max(width, height) >= _LEAST_PX:
            cv2.polylines(drawn, [cv2.approxPolyDP(each, _TOLERANCE_PX, True)], True, (255,), 1, cv2.LINE_AA)
    return drawn


def _cover(lines: npt.NDArray[np.uint8], box: Box, scale: float) -> None:
    margin = _MARGIN * max(box.width, box.height)
    left, top = max(0, int((box.x - margin) * scale)), max(0, int((box.y - margin) * scale))
    right, bottom = (box.x + box.width + margin) * scale, (box.y + box.height + margin) * scale
    lines[top : max(0, int(bottom)), left : max(0, int(right))] = 0
