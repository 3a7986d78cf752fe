"""Faces as a camera spoils them, to measure how much of its accuracy a network keeps.

The idea is that of common corruptions (Hendrycks and Dietterich 2019, arXiv:1903.12261); these are the ones
that small faces in a camera's picture suffer from. A network's crop is changed before its contrast is evened,
as the device does that with whatever the camera gives it.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from edge.inference.preprocess import Framing, crop_square
from edge.types import Box, Gray

# Returns a changed copy of a (S, S) uint8 crop; the generator decides on sides, directions and noise.
Corruption = Callable[[Gray, np.random.Generator], Gray]

# Lengths in pixels and the noise of a pixel are those of a crop of this side; another crop has its share.
_SIDE = 48
_WHOLE = Framing(1.0, 0.0)
_MIDDLE_GRAY = 128


def corrupt(images: Gray, name: str, seed: int = 0) -> Gray:
    """Returns spoiled copies of crops.

    Args:
        images: (N, S, S) uint8, crops whose contrast has not been evened.
        name: a key of `CORRUPTIONS`.
        seed: equal seeds give equal results; an image's result does not depend on those after it.

    Returns:
        (N, S, S) uint8.
    """
    change = CORRUPTIONS[name]
    random = np.random.default_rng([seed, zlib.crc32(name.encode())])
    changed = np.empty_like(images)
    for row, image in enumerate(images):
        changed[row] = change(image, random)
    return changed


def camera_accuracy(accuracy: Mapping[str, float]) -> float:
    """Returns the mean of the accuracies of `CAMERA_ROWS`, from {name of a corruption: accuracy}."""
    return sum(accuracy[name] for name in CAMERA_ROWS) / len(CAMERA_ROWS)


def _blur(image: Gray, _: np.random.Generator, sigma_px: float) -> Gray:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma_px * _unit(image)), np.uint8)


def _small(image: Gray, _: np.random.Generator, side_px: int) -> Gray:
    """A face of so few pixels, enlarged as the device does it."""
    side = round(side_px * _unit(image))
    reduced = np.asarray(cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA), np.uint8)
    return crop_square(reduced, Box(0, 0, side, side), len(image), _WHOLE)


def _light(image: Gray, random: np.random.Generator, factor: float, noise: float) -> Gray:
    """Another exposure, and the sensor's noise of so many gray levels after it."""
    drawn = random.standard_normal(image.shape, dtype=np.float32) * np.float32(noise * _unit(image))
    return _to_gray(image * np.float32(factor) + drawn)


def _gamma(image: Gray, _: np.random.Generator, exponent: float) -> Gray:
    table = _to_gray(255 * (np.arange(256) / 255) ** exponent)
    return np.asarray(cv2.LUT(image, table), np.uint8)


def _side_light(image: Gray, random: np.random.Generator, darkest: float) -> Gray:
    ramp = np.linspace(darkest, 1, image.shape[1], dtype=np.float32)
    return _to_gray(image * (ramp if random.random() < 0.5 else ramp[::-1]))


def _jpeg(image: Gray, _: np.random.Generator, quality: int) -> Gray:
    encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE), np.uint8)


def _moved_box(image: Gray, random: np.random.Generator, share: float) -> Gray:
    side, angle = len(image), random.uniform(0, 2 * np.pi)
    x, y = (round(share * side * part) for part in (np.cos(angle), np.sin(angle)))
    return crop_square(image, Box(x, y, side, side), side, _WHOLE)


def _scaled_box(image: Gray, _: np.random.Generator, factor: float) -> Gray:
    side = len(image)
    return crop_square(image, Box(0, 0, side, side), side, Framing(factor, 0.0))


def _roll(image: Gray, random: np.random.Generator, degrees: float) -> Gray:
    side, middle = len(image), (len(image) - 1) / 2
    sign = 1 if random.random() < 0.5 else -1
    matrix = cv2.getRotationMatrix2D((middle, middle), sign * degrees, 1.0)
    # A turned head is as sharp as any other; linear interpolation would blur it as well.
    turned = cv2.warpAffine(
        image, matrix, (side, side), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(turned, np.uint8)


def _covered(image: Gray, _: np.random.Generator, upper: bool) -> Gray:
    covered, middle = image.copy(), len(image) // 2
    covered[slice(0, middle) if upper else slice(middle, None)] = _MIDDLE_GRAY
    return covered


def _unit(image: Gray) -> float:
    return len(image) / _SIDE


def _to_gray(levels: npt.NDArray[np.floating[Any]]) -> Gray:
    return np.asarray(np.clip(np.rint(levels), 0, 255), np.uint8)


CORRUPTIONS: Mapping[str, Corruption] = {
    "clean": lambda image, _: image,
    "blur 1 px": partial(_blur, sigma_px=1.0),
    "blur 1.5 px": partial(_blur, sigma_px=1.5),
    "blur 2 px": partial(_blur, sigma_px=2.0),
    "32 px": partial(_small, side_px=32),
    "24 px": partial(_small, side_px=24),
    "16 px": partial(_small, side_px=16),
    "noise 8": partial(_light, factor=1.0, noise=8.0),
    "noise 16": partial(_light, factor=1.0, noise=16.0),
    "dark 0.3": partial(_light, factor=0.3, noise=4.0),
    "dark 0.15": partial(_light, factor=0.15, noise=4.0),
    "gamma 0.5": partial(_gamma, exponent=0.5),
    "gamma 2": partial(_gamma, exponent=2.0),
    "side light": partial(_side_light, darkest=0.3),
    "JPEG 30": partial(_jpeg, quality=30),
    "moved 5 %": partial(_moved_box, share=0.05),
    "moved 10 %": partial(_moved_box, share=0.1),
    "moved 15 %": partial(_moved_box, share=0.15),
    "box 0.8": partial(_scaled_box, factor=0.8),
    "box 1.25": partial(_scaled_box, factor=1.25),
    "roll 10°": partial(_roll, degrees=10.0),
    "roll 20°": partial(_roll, degrees=20.0),
    "roll 30°": partial(_roll, degrees=30.0),
    "upper half covered": partial(_covered, upper=True),
    "lower half covered": partial(_covered, upper=False),
}

# What a camera does every day; its stronger degrees and covered faces are measured beside them.
CAMERA_ROWS = (
    "clean",
    "blur 1 px",
    "blur 1.5 px",
    "32 px",
    "24 px",
    "noise 16",
    "dark 0.3",
    "gamma 2",
    "side light",
    "JPEG 30",
    "moved 10 %",
    "box 0.8",
    "box 1.25",
    "roll 20°",
)
