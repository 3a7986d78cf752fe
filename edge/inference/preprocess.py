"""From a box in a frame to the pixels that a network reads. Training and the device share these functions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

import cv2
import numpy as np

from edge.types import Box, Gray

# The median of FER-2013, whose images change least by it.
_DEVIATION = 54.0
# A higher gain amplifies more noise than face.
_MAX_GAIN = 4.0
# The networks bear a smaller turn, and the roll is known to a few degrees only.
_LEAST_ROLL_DEG = 15.0
_DIAGONAL = 2**0.5
_LEVELS = np.arange(256, dtype=np.uint8)

# What follows was chosen on the validation splits, for crops of 48 pixels.
# Mean square of the Laplacian up to which a blurred crop is sharpened; FER-2013's median is 45 squared.
_SHARPNESS = 30.0**2
# More would show the seams between the pixels of an enlarged face.
_MAX_SHARPENING = 3.0
_BOX = (5, 5)
_BOXES_AREA = 25.0 * 25.0  # of one box, twice
# The Laplacian's mean square is 20 times the variance of white noise. Clear faces have at least 64 times of
# what Immerkær's mask takes for noise in them.
_FACE_RATIO = 64.0
_NOISE_DIVISOR = 36.0  # less than 64 - 20, which smooths a little more than the noise alone asks for
_SECOND_DIFFERENCE = np.array([-1, 2, -1], dtype=np.float32)
_MASK_VARIANCE = math.pi / 2 / 36  # from the squared mean size of its answers to the variance of the noise
_WINDOW = (3, 3)
_WINDOW_AREA = 9.0


@dataclass(frozen=True)
class Framing:
    """How a network's square crop lies relative to the cascade's box.

    Attributes:
        margin: side of the crop divided by the longer side of the box, 0.5 to 2.
        shift_y: offset of the crop's centre below the box's centre, in sides of the box, -0.5 to 0.5.
    """

    margin: float
    shift_y: float


def crop_face(gray: Gray, box: Box, size: int, framing: Framing, roll_deg: float = 0.0) -> Gray:
    """Returns a face as a network reads it: `crop_square`, turned upright, then `normalize_face`.

    Args:
        gray: (H, W) uint8.
        box: Square around a face whose centre lies in the frame.
        size: Side of the result in pixels.
        framing: How the crop lies around the box.
        roll_deg: Turn of the head, clockwise in degrees; a small one is left as it is.

    Returns:
        (size, size) uint8.
    """
    if abs(roll_deg) < _LEAST_ROLL_DEG:
        return normalize_face(crop_square(gray, box, size, framing))
    return normalize_face(_crop_upright(gray, box, size, framing, roll_deg))


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
    x, y, width, height = box
    longer = max(width, height)
    side, steps = _reduction(longer * framing.margin, size)
    left = round(x + width / 2 - side / 2)
    top = round(y + height / 2 + framing.shift_y * longer - side / 2)
    return _resize(_cut(gray, left, top, side), steps)


def _crop_upright(gray: Gray, box: Box, size: int, framing: Framing, roll_deg: float) -> Gray:
    """Crops the square around a tilted face so that the face stands upright in it."""
    side = max(box.width, box.height)
    roll = math.radians(roll_deg)
    # "Below" the box's centre means towards the chin.
    x = box.x + box.width / 2 - math.sin(roll) * framing.shift_y * side
    y = box.y + box.height / 2 + math.cos(roll) * framing.shift_y * side
    # A square that holds the crop however it is turned, at the scale of the result.
    wide_size = round(size * _DIAGONAL)
    wide, steps = _reduction(side * framing.margin * _DIAGONAL, wide_size)
    around = _resize(_cut(gray, round(x - wide / 2), round(y - wide / 2), wide), steps)
    # Maps pixels of the result to those of `around`: about the centres of both, turned by the roll.
    sine, cosine = math.sin(roll), math.cos(roll)
    middle, wide_middle = (size - 1) / 2, (wide_size - 1) / 2
    to_around = np.array(
        [
            [cosine, -sine, wide_middle - middle * (cosine - sine)],
            [sine, cosine, wide_middle - middle * (sine + cosine)],
        ]
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(around, to_around, (size, size), flags=flags), np.uint8)


@lru_cache(maxsize=1024)
def _reduction(side: float, size: int) -> tuple[int, tuple[tuple[tuple[int, int], int], ...]]:
    """Returns how a square is resized to (size, size).

    Area averaging keeps a large face from aliasing, but does not interpolate. By a whole factor OpenCV does
    it several times as fast; to judge a face of 360 pixels takes a fourth of the time. The exact
    interpolation yields the same pixels on every processor.

    Args:
        side: Side of the square in pixels.
        size: Side of the result in pixels.

    Returns:
        The side in whole pixels, which differs from the side by a quarter of a pixel of the result at most,
        and size and method of each step, as `cv2.resize` takes them.
    """
    whole = max(1, round(side))
    factor = _whole_factor(whole, size)
    if factor > 1:
        whole = round(whole / factor) * factor
        factor = _whole_factor(whole, size)
    last = (size, size), cv2.INTER_AREA if whole > size else cv2.INTER_LINEAR_EXACT
    return whole, (last,) if factor == 1 else (((whole // factor,) * 2, cv2.INTER_AREA), last)


def _whole_factor(side: int, size: int) -> int:
    """Returns by how much a square is reduced at once, so that at least twice the size remains."""
    return side // (2 * size) or 1


def _resize(square: Gray, steps: tuple[tuple[tuple[int, int], int], ...]) -> Gray:
    """Resizes a square, (side, side) uint8, in the steps that `_reduction` returned for its side."""
    for size_wh, method in steps:
        square = cast("Gray", cv2.resize(square, size_wh, interpolation=method))
    return square


def _cut(gray: Gray, left: int, top: int, side: int) -> Gray:
    """Returns the pixels of a square; the frame's edge pixels are repeated beyond it."""
    height, width = gray.shape
    right, bottom = left + side, top + side
    if left >= 0 and top >= 0 and right <= width and bottom <= height:  # as nearly always
        return gray[top:bottom, left:right]
    crop = gray[max(0, top) : max(0, bottom), max(0, left) : max(0, right)]
    if not crop.size:
        raise ValueError(
            f"the square of {side} pixels at ({left}, {top}) lies outside a frame of {width}x{height}"
        )
    beyond = max(0, -top), max(0, bottom - height), max(0, -left), max(0, right - width)
    return cast("Gray", cv2.copyMakeBorder(crop, *beyond, cv2.BORDER_REPLICATE))


def normalize_face(crop: Gray) -> Gray:
    """Evens contrast, noise and sharpness of a crop, for a network that reads a face.

    Args:
        crop: (H, W) uint8.

    Returns:
        (H, W) uint8.
    """
    return even_sharpness(normalize_contrast(crop))


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
    gain = min(_DEVIATION / max(deviation.item(), 1.0), _MAX_GAIN)
    # (level - mean) * gain + 128, rounded and clipped to 0 to 255.
    table = cv2.addWeighted(_LEVELS, gain, _LEVELS, 0, 128 - mean.item() * gain)
    return cast("Gray", cv2.LUT(crop, table))


def even_sharpness(crop: Gray) -> Gray:
    """Smooths a noisy crop and sharpens a blurred one; most others stay as they are.

    Sums of pixels are whole numbers that float32 holds exactly, and NumPy's arithmetic is the same on every
    processor; so are the results.

    Args:
        crop: (H, W) uint8, of even contrast.

    Returns:
        (H, W) uint8.
    """
    energy = _laplacian_energy(crop)
    noise = _noise(crop, energy)
    if noise > 0:
        crop = _reduce_noise(crop, noise)
        energy = _laplacian_energy(crop)
    missing = _SHARPNESS * crop.size - energy
    return _sharpen(crop, missing) if missing > 0 else crop


def _noise(crop: Gray, energy: float) -> float:
    """Returns the variance of the noise that a crop should lose; not more than 0 where it has little.

    It is measured by the mask of Immerkær 1996 (doi:10.1006/cviu.1996.0060), to which edges matter less than
    to the Laplacian, whose energy is passed.
    """
    answers = cv2.sepFilter2D(crop, cv2.CV_16S, _SECOND_DIFFERENCE, _SECOND_DIFFERENCE)
    measured = (cv2.norm(answers, cv2.NORM_L1) / crop.size) ** 2 * _MASK_VARIANCE
    return (_FACE_RATIO * measured - energy / crop.size) / _NOISE_DIVISOR


def _reduce_noise(crop: Gray, noise: float) -> Gray:
    """Draws pixels to the mean of their neighbourhood where that varies no more than the noise.

    This is the local Wiener filter (Lee 1980, doi:10.1109/TPAMI.1980.4766994).
    """
    sums = cv2.boxFilter(crop, cv2.CV_32F, _WINDOW, normalize=False)
    squares = cv2.sqrBoxFilter(crop, cv2.CV_32F, _WINDOW, normalize=False)
    # Both variances times the squared area, so that there is nothing to round.
    noise_variance = np.float32(noise * _WINDOW_AREA**2)
    variance = np.float32(_WINDOW_AREA) * squares - sums * sums
    share = noise_variance / np.maximum(variance, noise_variance)
    return np.asarray(np.rint(crop - share * (crop - sums / np.float32(_WINDOW_AREA))), dtype=np.uint8)


def _sharpen(crop: Gray, missing: float) -> Gray:
    """Sharpens by an unsharp mask, as much as adds the missing energy of the Laplacian.

    With the detail d = crop - smooth, the energy of the Laplacian L of crop + a d is quadratic in a:
    |L crop|^2 + 2 a (L crop . L d) + a^2 |L d|^2. All of it is whole numbers that float64 adds up exactly.
    """
    pixels = crop.astype(np.float32)
    # Two boxes are nearly a Gaussian with a deviation of 2 pixels, in whole numbers.
    smooth = cv2.boxFilter(cv2.boxFilter(crop, cv2.CV_32F, _BOX, normalize=False), -1, _BOX, normalize=False)
    detail = cv2.addWeighted(pixels, _BOXES_AREA, smooth, -1, 0)  # times the area
    of_crop = cv2.Laplacian(pixels, cv2.CV_32F).astype(np.float64)
    of_detail = cv2.Laplacian(detail, cv2.CV_32F).astype(np.float64)
    energy, product = float(np.vdot(of_detail, of_detail)), float(np.vdot(of_crop, of_detail))
    if energy == 0:
        return crop  # nothing to be seen
    wanted = (math.sqrt(product**2 + energy * missing) - product) / energy
    gain = np.float32(min(wanted, _MAX_SHARPENING / _BOXES_AREA))
    # OpenCV clips the sum to 0 to 255, and rounds it as NumPy does: a half to the nearest even number.
    return cast("Gray", cv2.add(pixels, detail * gain, dtype=cv2.CV_8U))


def _laplacian_energy(crop: Gray) -> float:
    """Returns the sum of the squares of the Laplacian."""
    return cv2.norm(cv2.Laplacian(crop, cv2.CV_16S), cv2.NORM_L2SQR)
