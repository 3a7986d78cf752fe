"""Augmentation keeps shape, type and what the picture shows, and is a function of its seed."""

import numpy as np
import pytest

pytestmark = pytest.mark.train

from dataclasses import replace  # noqa: E402

from edge.inference.preprocess import Framing, crop_face, normalize_contrast  # noqa: E402
from edge.types import Box  # noqa: E402
from train.augment import Augmentation, CropSpec, augment, epoch_images, plain_images  # noqa: E402
from train.data import Dataset  # noqa: E402

VIEW = CropSpec(48, Framing(0.97, 0.09))
NOTHING = Augmentation(flip=0, rotate_deg=0, shift=0, scale=0, contrast=(1, 1), brightness=0)


def pictures(count=40, side=48):
    random = np.random.default_rng(0)
    small = random.integers(30, 220, (count, 6, 6), dtype=np.uint8)
    return small.repeat(side // 6, axis=1).repeat(side // 6, axis=2)


def dataset(images, boxes=None):
    count = len(images)
    return Dataset(
        "toy", images, np.zeros(count, np.int64), ("a", "b"), tuple(map(str, range(count))),
        np.array(["train"] * count), boxes,
    )  # fmt: skip


def test_nothing_asked_is_nothing_done():
    images = pictures()
    np.testing.assert_array_equal(augment(images, NOTHING, 1), images)


def test_same_seed_same_pictures_other_seed_others():
    images = pictures()
    once, again, other = (augment(images, Augmentation(noise=5), seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(once, again)
    assert (once != other).any(axis=(1, 2)).all()
    assert once.dtype == np.uint8
    assert once.shape == images.shape


def test_flip_is_exact_and_hits_its_share():
    images = pictures(400)
    changed = augment(images, replace(NOTHING, flip=0.5), 3)
    flipped = (changed == images[:, :, ::-1]).all(axis=(1, 2))
    kept = (changed == images).all(axis=(1, 2))
    assert (flipped ^ kept).all()
    assert 140 <= flipped.sum() <= 260


def test_shift_stays_within_its_bound():
    images = np.zeros((50, 48, 48), np.uint8)
    images[:, 24, 24] = 255
    changed = augment(images, replace(NOTHING, shift=0.05), 3).astype(float)
    weight = changed.sum(axis=(1, 2))
    grid = np.arange(48)
    for axis in (1, 2):
        place = (changed.sum(axis=3 - axis) * grid).sum(axis=1) / weight
        assert np.abs(place - 24).max() <= 0.05 * 48 + 1
        assert np.ptp(place) > 1


def test_a_set_without_boxes_is_not_cut_but_its_contrast_made_even():
    images = pictures()
    plain = plain_images(dataset(images), VIEW)
    np.testing.assert_array_equal(plain[3], normalize_contrast(images[3]))
    np.testing.assert_array_equal(epoch_images(dataset(images), VIEW, NOTHING, 1), plain)


def test_boxes_are_cut_by_the_devices_own_function_and_jittered():
    images = pictures(30, 96)
    boxes = np.tile(np.array([2, -8, 92, 92], dtype=np.int32), (len(images), 1))
    data = dataset(images, boxes)
    plain = plain_images(data, VIEW)
    np.testing.assert_array_equal(plain[7], crop_face(images[7], Box(2, -8, 92, 92), 48, VIEW.framing))
    np.testing.assert_array_equal(epoch_images(data, VIEW, NOTHING, 1), plain)
    jittered = epoch_images(data, VIEW, replace(NOTHING, shift=0.1, scale=0.1), 1)
    assert (jittered != plain).any(axis=(1, 2)).mean() > 0.9
