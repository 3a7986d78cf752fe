"""Augmentation keeps shape and type, stays within its limits, and depends on the seed alone."""

import cv2
import numpy as np
import pytest

pytestmark = pytest.mark.train

from dataclasses import replace  # noqa: E402

from edge.errors import ConfigError  # noqa: E402
from edge.inference.preprocess import Framing, crop_face, normalize_face  # noqa: E402
from edge.types import Box, Gray  # noqa: E402
from train.augment import Augmentation, CropSpec, augment, epoch_crops, even, plain_images, spoil  # noqa: E402
from train.data import Dataset  # noqa: E402
from train.spoiling import Spoiling  # noqa: E402

VIEW = CropSpec(48, Framing(0.97, 0.09))
NOTHING = Augmentation(flip=0, rotate_deg=0, shift=0, scale=0, contrast=(1, 1), brightness=0)


def random_images(count=40, side=48):
    random = np.random.default_rng(0)
    small = random.integers(30, 220, (count, 6, 6), dtype=np.uint8)
    return small.repeat(side // 6, axis=1).repeat(side // 6, axis=2)


def dataset(images, boxes=None):
    count = len(images)
    return Dataset(
        "toy", images, np.zeros(count, np.int64), ("a", "b"), tuple(map(str, range(count))),
        np.array(["train"] * count), boxes,
    )  # fmt: skip


def test_limits_of_zero_change_nothing():
    images = random_images()
    np.testing.assert_array_equal(augment(images, NOTHING, 1), images)


def test_equal_seeds_give_equal_images():
    images = random_images()
    once, again, other = (augment(images, Augmentation(noise=5), seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(once, again)
    assert (once != other).any(axis=(1, 2)).all()
    assert once.dtype == np.uint8
    assert once.shape == images.shape


def test_flips_are_exact_and_as_frequent_as_wanted():
    images = random_images(400)
    changed = augment(images, replace(NOTHING, flip=0.5), 3)
    flipped = (changed == images[:, :, ::-1]).all(axis=(1, 2))
    unchanged = (changed == images).all(axis=(1, 2))
    assert (flipped ^ unchanged).all()
    assert 140 <= flipped.sum() <= 260


def test_shifts_stay_within_their_limit():
    images = np.zeros((50, 48, 48), np.uint8)
    images[:, 24, 24] = 255
    changed = augment(images, replace(NOTHING, shift=0.05), 3).astype(float)
    weight = changed.sum(axis=(1, 2))
    grid = np.arange(48)
    for axis in (1, 2):
        position = (changed.sum(axis=3 - axis) * grid).sum(axis=1) / weight
        assert np.abs(position - 24).max() <= 0.05 * 48 + 1
        assert np.ptp(position) > 1


def test_a_dataset_without_boxes_is_not_cropped_but_made_even():
    images = random_images()
    plain = plain_images(dataset(images), VIEW)
    np.testing.assert_array_equal(plain[3], normalize_face(images[3]))
    np.testing.assert_array_equal(even(epoch_crops(dataset(images), VIEW, None, 1)), plain)


def test_boxes_are_jittered_and_cropped_by_the_devices_function():
    images = random_images(30, 96)
    boxes = np.tile(np.array([2, -8, 92, 92], dtype=np.int32), (len(images), 1))
    data = dataset(images, boxes)
    plain = plain_images(data, VIEW)
    np.testing.assert_array_equal(plain[7], crop_face(images[7], Box(2, -8, 92, 92), 48, VIEW.framing))
    np.testing.assert_array_equal(even(epoch_crops(data, VIEW, NOTHING, 1)), plain)
    jittered = even(epoch_crops(data, VIEW, replace(NOTHING, shift=0.1, scale=0.1), 1))
    assert (jittered != plain).any(axis=(1, 2)).mean() > 0.9


def test_jitter_moves_and_resizes_boxes_within_its_limits():
    image = np.zeros((200, 200), np.uint8)
    image[80:120, 80:120] = 255  # a square of 40 pixels in the middle of each box
    boxes = np.tile(np.array([60, 60, 80, 80], dtype=np.int32), (300, 1))
    data = dataset(np.tile(image, (300, 1, 1)), boxes)
    crop = CropSpec(160, Framing(1.0, 0.0))
    bright = epoch_crops(data, crop, replace(NOTHING, shift=0.1, scale=0.05), 1) > 128
    columns, rows = bright.any(axis=1), bright.any(axis=2)
    sides = 40 * 160 / columns.sum(axis=1)  # of the jittered boxes, in pixels of the image
    assert sides.min() == pytest.approx(80 * 0.95, abs=2)
    assert sides.max() == pytest.approx(80 * 1.05, abs=2)
    shifts = []
    for lines in (columns, rows):
        centres = (lines.argmax(axis=1) + lines.shape[1] - lines[:, ::-1].argmax(axis=1)) / 2
        shifts.append((80 - centres) / 160 * sides)
        assert shifts[-1].min() == pytest.approx(-8, abs=1.5)
        assert shifts[-1].max() == pytest.approx(8, abs=1.5)
    assert abs(np.corrcoef(*shifts)[0, 1]) < 0.2
    assert abs(np.corrcoef(shifts[0], sides)[0, 1]) < 0.2


def smooth_images(count: int) -> Gray:
    """Different soft pictures of 48x48 pixels: noise alone would hide what a blur does."""
    coarse = np.random.default_rng(5).integers(0, 256, (count, 8, 8), dtype=np.uint8)
    return np.stack([cv2.resize(each, (48, 48), interpolation=cv2.INTER_CUBIC) for each in coarse])


def test_the_named_share_of_the_images_is_spoiled_and_equal_seeds_spoil_alike():
    images = smooth_images(600)
    spoiled = spoil(images, Spoiling(share=0.3), 4)
    assert 0.25 < (spoiled != images).any(axis=(1, 2)).mean() < 0.35
    np.testing.assert_array_equal(spoil(images, Spoiling(share=0.3), 4), spoiled)
    assert (spoil(images, Spoiling(share=0.3), 5) != spoiled).any()


def test_each_fault_of_a_camera_occurs():
    images = smooth_images(800)
    spoiled = spoil(images, Spoiling(share=1.0, rotate_deg=0.0, shift=0.0, scale=0.0), 1)

    def sharpness(pictures):
        return np.array([cv2.Laplacian(each, cv2.CV_32F).std() for each in pictures])

    change = sharpness(spoiled) / sharpness(images)
    assert 0.2 < (change < 0.9).mean() < 0.75  # blurred, or from afar
    assert 0.15 < (change > 1.2).mean() < 0.6  # noisy, or partly covered
    levels = spoiled.mean(axis=(1, 2)) / images.mean(axis=(1, 2))
    assert (levels < 0.7).mean() > 0.15
    assert 0.02 < (levels > 1.15).mean() < 0.2
    sides = np.log(spoiled[:, :, :12].mean(axis=(1, 2)) / images[:, :, :12].mean(axis=(1, 2)))
    sides -= np.log(spoiled[:, :, -12:].mean(axis=(1, 2)) / images[:, :, -12:].mean(axis=(1, 2)))
    assert (sides > 0.3).any()
    assert (sides < -0.3).any()


def test_a_share_of_spoiled_images_that_is_none_is_refused():
    for share in (0.0, 1.1, -0.1):
        with pytest.raises(ConfigError, match=f"a share of {share} spoiled images"):
            Spoiling(share=share)
