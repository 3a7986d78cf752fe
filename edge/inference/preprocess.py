"""From a box in a frame to the pixels a network reads. Training and the device share these functions."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from edge.types import Box, Gray

# The median of FER-2013, whose pictures so change the least.
_DEVIATION = 54.0
# Beyond it there is more noise than face.
_LARGEST_GAIN = 4.0
_LEVELS = np.arange(256, dtype=np.uint8)


@dataclass(frozen=True)
class Framing:
    """How a network's square crop lies relative to the cascade's box.

    Attributes:
        margin: side of the crop / longer side of the box, 0.5 to 2.
        shift_y: how far the crop's centre lies below the box's centre, in sides of the box, -0.5 to 0.5.
    """

    margin: float
    shift_y: float


def crop_face(gray: Gray, box: Box, size: int, framing: Framing) -> Gray:
    """A face as a network reads it: cut out by `cut_square`, which see, then through `even_contrast`."""
    return even_contrast(cut_square(gray, box, size, framing))


def cut_square(gray: Gray, box: Box, size: int, framing: Framing) -> Gray:
    """The square around a face.

    The square is clipped to the frame; what was cut off is filled with the frame's edge pixels, so that a
    face at the edge keeps its proportions.

    Args:
        gray: (H, W) uint8.
        box: a face, overlapping the frame.
        size: side of the result in pixels.
        framing: how the square lies around the box.

    Returns:
        (size, size) uint8, a copy.

    Raises:
        ValueError: the square lies outside the frame altogether.
    """
    side = max(1, round(max(box.width, box.height) * framing.margin))
    centre_x = box.x + box.width / 2
    centre_y = box.y + box.height / 2 + framing.shift_y * max(box.width, box.height)
    square = Box(round(centre_x - side / 2), round(centre_y - side / 2), side, side)
    inside = square.clipped((gray.shape[0], gray.shape[1]))
    if inside is None:
        raise ValueError(f"{square} lies outside a picture of {gray.shape[1]}x{gray.shape[0]}")
    crop = gray[inside.y : inside.y + inside.height, inside.x : inside.x + inside.width]
    if inside != square:
        left, top = inside.x - square.x, inside.y - square.y
        right, bottom = side - left - inside.width, side - top - inside.height
        bordered = cv2.copyMakeBorder(crop, top, bottom, left, right, cv2.BORDER_REPLICATE)
        crop = np.asarray(bordered, dtype=np.uint8)
    # Area averaging keeps a large face from aliasing; it is no good for enlarging, which
    # is done exactly so that every processor gives the same pixels.
    method = cv2.INTER_AREA if side > size else cv2.INTER_LINEAR_EXACT
    return np.asarray(cv2.resize(crop, (size, size), interpolation=method), dtype=np.uint8)


def even_contrast(crop: Gray) -> Gray:
    """The picture with its gray levels moved and stretched to a mean of 128 and a deviation of 54.

    A dim or hazy camera gives a face a fifth of the contrast that the training sets' pictures have. The
    levels are looked up in a table, so the picture stays in integers.

    Args:
        crop: (H, W) uint8.

    Returns:
        (H, W) uint8.
    """
    mean, deviation = cv2.meanStdDev(crop)
    gain = min(_DEVIATION / max(float(deviation[0, 0]), 1.0), _LARGEST_GAIN)
    # (level - mean) * gain + 128, rounded and clipped to 0 to 255.
    table = cv2.addWeighted(_LEVELS, gain, _LEVELS, 0, 128 - float(mean[0, 0]) * gain)
    return np.asarray(cv2.LUT(crop, table), dtype=np.uint8)
