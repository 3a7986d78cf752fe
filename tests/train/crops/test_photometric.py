"""Changes of light, sharpness and noise."""

import numpy as np
import pytest

from edge.inference.preprocess import normalize_contrast
from train.crops.photometric import (
    AS_IT_IS,
    DIM,
    Photometry,
    lower_resolution,
    occlude,
    random_contrast,
)

NOTHING = {"side_light": 0, "gamma": 0, "blur": 0, "dim": 0, "noise": 0, "jpeg": 0}


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(60, 190, (48, 48), dtype=np.uint8)


def generators(count=40):
    return (np.random.default_rng(seed) for seed in range(count))


def test_a_picture_as_it_is_is_not_changed(image):
    np.testing.assert_array_equal(AS_IT_IS(image, np.random.default_rng(0)), image)


@pytest.mark.parametrize("name", NOTHING)
def test_each_change_changes_the_image_alone(image, name):
    before = image.copy()
    change = Photometry(**NOTHING | {name: 1.0}, blur_px=2.0)
    changed = [change(image, random) for random in generators(8)]
    np.testing.assert_array_equal(image, before)
    assert all(each.dtype == np.uint8 and each.shape == image.shape for each in changed)
    assert sum((each != image).mean() > 0.2 for each in changed) >= 5  # a blur may be slight


def test_a_dim_picture_is_darker_and_noisier(image):
    halves = np.repeat(np.array([[100], [200]], np.uint8), [32, 32], axis=0).repeat(64, axis=1)
    changed = [DIM(halves, random) for random in generators()]
    levels = [each.mean() / 150 for each in changed]
    assert 0.09 < min(levels) < 0.2
    assert 0.5 < max(levels) < 0.61
    # Half of the difference between the halves is the deviation that noise is compared with.
    assert all(each[:32].std() < 0.45 * 50 * level + 0.5 for each, level in zip(changed, levels, strict=True))
    assert sum(each[:32].std() > 1 for each in changed) > len(changed) / 2


def test_blur_lowers_contrast_between_neighbours(image):
    blurred = Photometry(**NOTHING | {"blur": 1.0}, blur_px=3.0)
    differences = [
        np.abs(np.diff(blurred(image, random).astype(int), axis=1)).mean() for random in generators()
    ]
    assert min(differences) < 0.3 * np.abs(np.diff(image.astype(int), axis=1)).mean()


def test_three_in_ten_images_lose_resolution(image):
    changed = [(lower_resolution(image, random) != image).any() for random in generators(300)]
    assert 0.2 < np.mean(changed) < 0.4


def test_one_in_seven_images_is_covered_in_one_rectangle(image):
    shares = np.array([(occlude(image, random) != image).mean() for random in generators(400)])
    covered = shares[shares > 0]
    assert 0.1 < len(covered) / len(shares) < 0.2
    assert covered.max() < 0.25
    assert covered.min() > 0.02


def test_half_of_the_images_have_the_device_s_contrast(image):
    dark = (image // 3).astype(np.uint8)
    even = normalize_contrast(dark)
    same = [(random_contrast(dark, random) == even).all() for random in generators(200)]
    assert 0.4 < np.mean(same) < 0.6
