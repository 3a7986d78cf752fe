"""Augments images with imgaug, which only this module uses, since it is unmaintained."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from edge.errors import ConfigError
from edge.inference.preprocess import Framing, crop_square, normalize_face
from edge.types import Box, Gray
from train.augmenters import iaa
from train.data import Boxes, Dataset
from train.spoiling import Spoiling

_BATCH = 256


@dataclass(frozen=True)
class Augmentation:
    """Limits of random changes to images; each image draws its own amounts evenly within these.

    Attributes:
        flip: probability of flipping left and right, 0 to 1.
        rotate_deg: largest rotation in either direction, degrees.
        shift: largest shift in either direction along each axis, as a share of the side.
        scale: largest enlargement or reduction, as a share of the side: 0.1 means 90 % to 110 %.
        contrast: smallest and largest factor of the contrast.
        brightness: largest number of gray levels that are added or subtracted.
        blur: largest standard deviation of a Gaussian blur, pixels.
        noise: largest standard deviation of added Gaussian noise, gray levels.
        erase: side of the largest square that is filled with noise in half of the images, as a share of the
            image's side (Random Erasing, Zhong et al. 2017, arXiv:1708.04896).
    """

    flip: float = 0.5
    rotate_deg: float = 8.0
    shift: float = 0.05
    scale: float = 0.08
    contrast: tuple[float, float] = (0.8, 1.2)
    brightness: float = 15.0
    blur: float = 0.0
    noise: float = 0.0
    erase: float = 0.0


@dataclass(frozen=True)
class CropSpec:
    """The square crop that is a network's input.

    Attributes:
        size: side of the crop in pixels.
        framing: size and position of the crop relative to the cascade's box.
    """

    size: int
    framing: Framing


def augment(images: Gray, settings: Augmentation, seed: int) -> Gray:
    """Returns randomly changed copies of images.

    Args:
        images: (N, H, W) uint8.
        settings: limits of the changes.
        seed: equal seeds give equal results.

    Returns:
        (N, H, W) uint8.
    """
    return _changed(images, _pipeline(settings), seed)


def spoil(images: Gray, settings: Spoiling, seed: int) -> Gray:
    """Returns copies of images of which some look as a camera would have seen the face.

    Args:
        images: (N, S, S) uint8, crops whose contrast has not been evened.
        settings: how many images are changed, and how far.
        seed: equal seeds give equal results.

    Returns:
        (N, S, S) uint8.
    """
    spoiled = np.flatnonzero(np.random.default_rng(seed).random(len(images)) < settings.share)
    result = images.copy()
    result[spoiled] = _changed(images[spoiled], _camera(settings, images.shape[1]), seed)
    return result


def even(images: Gray) -> Gray:
    """Evens contrast, noise and sharpness of (N, S, S) uint8 as the device does with every crop."""
    return np.stack([normalize_face(image) for image in images])


def epoch_crops(data: Dataset, crop: CropSpec, settings: Augmentation | None, seed: int) -> Gray:
    """Makes the crops of one epoch: cropped anew where the dataset has boxes, then augmented.

    Boxes are jittered as the cascade's are (`python -m train framing` measures their spread) and cropped by
    the device's own function, so that a network is trained on what it will be given.

    Args:
        data: N rows.
        crop: size and framing of the network's input.
        settings: limits of the changes to images and boxes; None for unchanged crops.
        seed: equal seeds give equal images.

    Returns:
        (N, size, size) uint8, with their own contrast, noise and sharpness.
    """
    if settings is None:
        return square_crops(data, crop)
    if data.boxes is None:
        return augment(data.images, settings, seed)
    boxes = _jitter(data.boxes, settings, np.random.default_rng(seed))
    # The jitter has shifted and scaled already; the warp only rotates.
    return augment(_crop(data.images, boxes, crop), replace(settings, shift=0.0, scale=0.0), seed)


def plain_images(data: Dataset, crop: CropSpec) -> Gray:
    """Returns every image as the device would crop it, without augmentation: (N, size, size) uint8."""
    return even(square_crops(data, crop))


def check_size(data: Dataset, crop: CropSpec) -> None:
    """Checks that pictures that are faces already have the size of the crop: they are not scaled.

    Raises:
        ConfigError: they have another one.
    """
    side = data.images.shape[1]
    if data.boxes is None and side != crop.size:
        raise ConfigError(f"a network of {crop.size} pixels (spec.size) for {data.name}'s pictures of {side}")


def square_crops(data: Dataset, crop: CropSpec) -> Gray:
    """Returns every image as `plain_images` does, but with its own contrast, noise and sharpness."""
    return data.images if data.boxes is None else _crop(data.images, data.boxes, crop)


def _crop(images: Gray, boxes: Boxes, crop: CropSpec) -> Gray:
    pairs = zip(images, boxes.tolist(), strict=True)
    return np.stack([crop_square(image, Box(*box), crop.size, crop.framing) for image, box in pairs])


def _jitter(boxes: Boxes, settings: Augmentation, random: np.random.Generator) -> Boxes:
    limits = np.array([settings.scale, settings.shift, settings.shift])
    scale, shift_x, shift_y = random.uniform(-limits, limits, (len(boxes), 3)).T
    x, y, width, height = boxes.T
    new_width, new_height = np.rint(width * (1 + scale)), np.rint(height * (1 + scale))
    new_x = np.rint(x + (width - new_width) / 2 + shift_x * width)
    new_y = np.rint(y + (height - new_height) / 2 + shift_y * height)
    jittered = np.stack([new_x, new_y, new_width, new_height], axis=1)
    return np.asarray(jittered, dtype=np.int32)


def _changed(images: Gray, pipeline: iaa.Augmenter, seed: int) -> Gray:
    # With Sequential(seed=...), its children would use imgaug's global random generator.
    pipeline.seed_(seed)
    changed = np.empty_like(images)
    for start in range(0, len(images), _BATCH):
        batch = images[start : start + _BATCH, :, :, np.newaxis]
        changed[start : start + _BATCH] = pipeline(images=batch)[..., 0]
    return changed


def _pipeline(settings: Augmentation) -> iaa.Augmenter:
    levels = round(settings.brightness)
    return iaa.Sequential(
        [
            iaa.Fliplr(settings.flip),
            # A single warp, so that an image is resampled once.
            _warp(settings),
            *([iaa.LinearContrast(settings.contrast)] if settings.contrast != (1, 1) else []),
            *([iaa.Add((-levels, levels))] if levels else []),
            *([iaa.GaussianBlur((0, settings.blur))] if settings.blur else []),
            *([iaa.AdditiveGaussianNoise(scale=(0, settings.noise))] if settings.noise else []),
            *([iaa.Sometimes(0.5, _erasing(settings.erase))] if settings.erase else []),
        ]
    )


def _warp(settings: Augmentation | Spoiling) -> iaa.Augmenter:
    return iaa.Affine(
        rotate=(-settings.rotate_deg, settings.rotate_deg),
        translate_percent=dict.fromkeys("xy", (-settings.shift, settings.shift)),
        scale=(1 - settings.scale, 1 + settings.scale),
        mode="edge",
    )


def _erasing(share: float) -> iaa.Augmenter:
    return iaa.Cutout(nb_iterations=1, size=(0.05, share), squared=True, fill_mode="gaussian", cval=(0, 255))


def _camera(settings: Spoiling, side: int) -> iaa.Augmenter:
    """Makes the changes of `Spoiling`; each strikes as many images as `train.accelerator.camera` lets it."""
    noise = iaa.AdditiveGaussianNoise(scale=settings.noise)
    lens = [
        iaa.Sometimes(0.4, iaa.GaussianBlur(settings.blur)),
        iaa.Sometimes(0.3, _distance(settings.distance, side)),
    ]
    low, high = settings.jpeg
    return iaa.Sequential(
        [
            _warp(settings),
            iaa.Sometimes(0.2, _gamma(*settings.gamma)),
            iaa.Sometimes(0.15, _side_light(*settings.side_light)),
            # Sensors are noisy in the dark, whatever else happens.
            iaa.Sometimes(
                0.2,
                iaa.Sequential(
                    [iaa.Multiply(settings.darkness), iaa.AdditiveGaussianNoise(scale=(0.5, 5.0))]
                ),
            ),
            # Noise that arises before the picture is enlarged is soft in the crop.
            iaa.Sometimes(0.3, [iaa.Sometimes(0.25, noise), *lens], [*lens, iaa.Sometimes(0.25, noise)]),
            iaa.Sometimes(0.15, iaa.JpegCompression((100 - high, 100 - low))),
            iaa.Sometimes(0.12, _cover(*settings.cover)),
        ]
    )


def _gamma(least: float, most: float) -> iaa.Augmenter:
    # Evenly between the limits, three of four images would become darker.
    return iaa.Sometimes(0.5, iaa.GammaContrast((least, 1.0)), iaa.GammaContrast((1.0, most)))


def _distance(smallest: float, side: int) -> iaa.Augmenter:
    sides = {"height": (round(smallest * side), side - 1), "width": "keep-aspect-ratio"}
    return iaa.KeepSizeByResize(iaa.Resize(sides, interpolation="area"), interpolation="linear")


def _side_light(least: float, most: float) -> iaa.Augmenter:
    def from_side(dark: float, bright: float) -> iaa.Augmenter:
        return iaa.BlendAlphaHorizontalLinearGradient(
            iaa.Multiply((1 - most, 1 - least)), min_value=0.0, max_value=1.0, start_at=bright, end_at=dark
        )

    return iaa.Sometimes(0.5, from_side(0.0, 1.0), from_side(1.0, 0.0))


def _cover(least: float, most: float) -> iaa.Augmenter:
    hidden = {"nb_iterations": 1, "size": (least, most), "squared": False, "cval": (0, 255)}
    return iaa.Sometimes(
        0.5, iaa.Cutout(**hidden, fill_mode="gaussian"), iaa.Cutout(**hidden, fill_mode="constant")
    )
