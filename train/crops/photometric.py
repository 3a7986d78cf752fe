"""Random changes of light, sharpness and noise, as small and cheap cameras make them.

The classifiers' images are changed by imgaug (`train.augment`). Crops of scenes are made anew for every
epoch, hundreds a second: the same changes in OpenCV and NumPy take a tenth of the time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from edge.inference.preprocess import normalize_contrast
from edge.types import Gray

# Changes a (H, W) uint8 image with amounts drawn from a generator.
Change = Callable[[Gray, np.random.Generator], Gray]

_Floats = npt.NDArray[np.float32]
_MAX_NOISE = 0.4  # of the picture's deviation
_LEVELS = np.arange(256, dtype=np.float32)


@dataclass(frozen=True)
class Photometry:
    """Probabilities and limits of the changes; calling it changes an image.

    Attributes:
        side_light: probability of light from one side, which brightens it by 20 to 60 % and dims the other.
        gamma: probability of a gamma of 0.55 to 1.8.
        blur: probability of a Gaussian blur.
        blur_px: largest standard deviation of the blur in pixels.
        dim: probability of a dim picture: gray levels times 0.1 to 0.6, with sensor noise of 0.3 to 5.
        noise: probability of noise of 1 to 10 gray levels in pictures that are not dim. No noise has more
            than 0.4 times the deviation of the picture: nobody would see a face in it.
        jpeg: probability of compression as JPEG of a quality of 25 to 80.
    """

    side_light: float = 0.3
    gamma: float = 0.4
    blur: float = 0.35
    blur_px: float = 1.2
    dim: float = 0.25
    noise: float = 0.25
    jpeg: float = 0.2

    def __call__(self, image: Gray, random: np.random.Generator) -> Gray:
        """Returns a changed copy of a (H, W) uint8 image."""
        pixels: _Floats = image.astype(np.float32)
        if random.random() < self.side_light:
            pixels = _side_light(pixels, random)
        if random.random() < self.gamma:
            exponent = np.exp(random.uniform(-0.6, 0.6))
            relative = np.clip(pixels, 0, 255) / np.float32(255)
            pixels = np.asarray(255 * np.power(relative, np.float32(exponent)), np.float32)
        if random.random() < self.blur:
            sigma = self.blur_px * random.random()
            if sigma > 0.25:  # less changes nothing
                pixels = np.asarray(cv2.GaussianBlur(pixels, (0, 0), sigma), np.float32)
        kind = random.random()
        if kind < self.dim:
            pixels = _with_noise(pixels * np.float32(random.uniform(0.1, 0.6)), random, 0.3, 5)
        elif kind < self.dim + self.noise:
            pixels = _with_noise(pixels, random, 1, 10)
        changed = np.clip(pixels, 0, 255).astype(np.uint8)
        if random.random() < self.jpeg:
            quality = int(random.integers(25, 80))
            encoded = cv2.imencode(".jpg", changed, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
            changed = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE), np.uint8)
        return changed


# What validation compares: a picture as it is, and a dim one.
AS_IT_IS = Photometry(side_light=0, gamma=0, blur=0, dim=0, noise=0, jpeg=0)
DIM = Photometry(side_light=0, gamma=0, blur=0, dim=1, noise=0, jpeg=0)


def lower_resolution(image: Gray, random: np.random.Generator) -> Gray:
    """Reduces three in ten square images to 13 to 29 pixels and enlarges them again."""
    if random.random() >= 0.3:
        return image
    side = int(random.integers(13, 30))
    small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, image.shape[::-1], interpolation=cv2.INTER_LINEAR), np.uint8)


def occlude(image: Gray, random: np.random.Generator) -> Gray:
    """Covers a rectangle in 15 % of the images with gray or patches, a sixth to half of the side long."""
    if random.random() >= 0.15:
        return image
    side = image.shape[0]
    height, width = (int(extent) for extent in random.integers(side // 6, side // 2, 2))
    top, left = random.integers(0, side - height), random.integers(0, side - width)
    covered = image.copy()
    if random.random() < 0.5:
        covered[top : top + height, left : left + width] = random.integers(0, 256)
    else:
        patches = random.integers(0, 256, (3, 3), dtype=np.uint8)
        covered[top : top + height, left : left + width] = cv2.resize(patches, (width, height))
    return covered


def random_contrast(image: Gray, random: np.random.Generator) -> Gray:
    """Evens the contrast as the device does, and in half of the images changes it by some amount after that.

    The device evens the contrast of the whole picture, in which a part may be darker or flatter.
    """
    even = normalize_contrast(image)
    if random.random() >= 0.5:
        return even
    gain, shift = np.exp(random.uniform(-0.5, 0.4)), random.uniform(-25, 25)
    table = np.clip(np.rint((_LEVELS - 128) * gain + 128 + shift), 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(even, table), np.uint8)


def _side_light(pixels: _Floats, random: np.random.Generator) -> _Floats:
    height, width = pixels.shape
    angle, strength = random.uniform(0, 2 * np.pi), random.uniform(0.2, 0.6)
    across = np.linspace(-1, 1, width, dtype=np.float32) * np.float32(np.cos(angle))
    down = np.linspace(-1, 1, height, dtype=np.float32) * np.float32(np.sin(angle))
    light = 1 + np.float32(strength) * np.clip(across[None] + down[:, None], -1, 1)
    return np.asarray(pixels * light, np.float32)


def _with_noise(pixels: _Floats, random: np.random.Generator, low: float, high: float) -> _Floats:
    deviation = np.float32(min(random.uniform(low, high), _MAX_NOISE * float(pixels.std())))
    return np.asarray(pixels + deviation * random.standard_normal(pixels.shape, dtype=np.float32), np.float32)
