"""From a box in a frame to the pixels that a network reads. Training and the device share these functions."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from edge.types import Box, Gray

# The median of FER-2013, whose images change least by it.
_DEVIATION = 54.0
# A higher gain amplifies more noise than face.
_MAX_GAIN = 4.0
_LEVELS = np.arange(256, dtype=np.uint8)


@dataclass(frozen=True)
class Framing:
    """How a network's square crop lies relative to the cascade's box.

    Attributes:
        margin: side of the crop divided by the longer side of the box, 0.5 to 2.
        shift_y: offset of the crop's centre below the box's centre, in sides of the box, -0.5 to 0.5.
    """

    margin: float
    shift_y: float


def crop_face(gray: Gray, box: Box, size: int, framing: Framing) -> Gray:
    """Returns a face as a network reads it: `crop_square`, then `normalize_contrast`."""
    return normalize_contrast(crop_square(gray, box, size, framing))


def crop_square(gray: Gray, box: Box, size: int, framing: Framing) -> Gray:
    """Crops the square around a face and resizes it.

    Where the square reaches beyond the frame, the frame's edge pixels are repeated, so that a face at the
    edge keeps its proportions.

    Args:
        gray: (H, W) uint8.
        box: Box of a face, overlapping the frame.
        size: Side of the result in pixels.
        framing: How the square lies around the box.

    Returns:
        (size, size) uint8, a copy.

    Raises:
        ValueError: the square lies outside the frame.
    """
    side = max(1, round(max(box.width, box.height) * framing.margin))
    centre_x = box.x + box.width / 2
    centre_y = box.y + box.height / 2 + framing.shift_y * max(box.width, box.height)
    square = Box(round(centre_x - side / 2), round(centre_y - side / 2), side, side)
    inside = square.clipped((gray.shape[0], gray.shape[1]))
    if inside is None:
        raise ValueError(f"{square} lies outside a frame of {gray.shape[1]}x{gray.shape[0]}")
    crop = gray[inside.y : inside.y + inside.height, inside.x : inside.x + inside.width]
    if inside != square:
        left, top = inside.x - square.x, inside.y - square.y
        right, bottom = side - left - inside.width, side - top - inside.height
        bordered = cv2.copyMakeBorder(crop, top, bottom, left, right, cv2.BORDER_REPLICATE)
        crop = np.asarray(bordered, dtype=np.uint8)
    # Area averaging keeps a large face from aliasing, but does not interpolate. The exact interpolation
    # yields the same pixels on every processor.
    method = cv2.INTER_AREA if side > size else cv2.INTER_LINEAR_EXACT
    return np.asarray(cv2.resize(crop, (size, size), interpolation=method), dtype=np.uint8)


def normalize_contrast(crop: Gray) -> Gray:
    """Shifts and stretches the gray levels to a mean of 128 and a standard deviation of 54.

    A face from a dim or hazy camera may have a fifth of the contrast of the training images. The levels are
    looked up in a table, so that the image stays in integers.

    Args:
        crop: (H, W) uint8.

    Returns:
        (H, W) uint8.
    """
    mean, deviation = cv2.meanStdDev(crop)
    gain = min(_DEVIATION / max(float(deviation[0, 0]), 1.0), _MAX_GAIN)
    # (level - mean) * gain + 128, rounded and clipped to 0 to 255.
    table = cv2.addWeighted(_LEVELS, gain, _LEVELS, 0, 128 - float(mean[0, 0]) * gain)
    return np.asarray(cv2.LUT(crop, table), dtype=np.uint8)
