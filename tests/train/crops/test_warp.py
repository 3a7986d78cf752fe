"""Crops: where a point of the image comes to lie, what is averaged, and what lies beyond the edge."""

import numpy as np
import pytest

from train.crops.warp import apply, random_part, similarity, warp


def dot(x, y, shape=(60, 80)):
    image = np.zeros(shape, np.uint8)
    image[y, x] = 255
    return image


@pytest.mark.parametrize(("angle", "expected"), [(0, (12, 8)), (90, (8, 4)), (-90, (8, 12)), (180, (4, 8))])
def test_a_positive_angle_turns_the_image_counter_clockwise(angle, expected):
    matrix = similarity((40, 30), (8, 8), 1, angle)
    np.testing.assert_allclose(apply(matrix, [(44, 30)]), [expected], atol=1e-9)
    crop = warp(dot(44, 30), matrix, 16)
    assert np.unravel_index(crop.argmax(), crop.shape) == expected[::-1]


def test_pixels_keep_their_places_at_scale_1():
    image = np.random.default_rng(0).integers(0, 256, (60, 80), dtype=np.uint8)
    crop = warp(image, similarity((39.5, 29.5), (15.5, 15.5), 1, 0), 32)
    np.testing.assert_array_equal(crop, image[14:46, 24:56])


def test_a_reduced_crop_shows_averages_at_the_right_place():
    image = np.random.default_rng(0).integers(0, 256, (128, 128), dtype=np.uint8)
    crop = warp(image, similarity((63.5, 63.5), (15.5, 15.5), 0.25, 0), 32)
    means = image.reshape(32, 4, 32, 4).mean(axis=(1, 3))
    # The border lies between pixels that exist and those that are repeated.
    np.testing.assert_allclose(crop[2:-2, 2:-2], means[2:-2, 2:-2], atol=1)


def test_only_a_part_of_a_large_image_changes_nothing():
    random = np.random.default_rng(0)
    image = random.integers(0, 256, (300, 400), dtype=np.uint8)
    matrix = similarity((200.3, 140.8), (15.5, 15.5), 0.9, 33)
    alone = image.copy()
    alone[:100] = alone[190:] = 0
    alone[:, :150] = alone[:, 250:] = 0
    np.testing.assert_array_equal(warp(image, matrix, 32), warp(alone, matrix, 32))


def test_beyond_the_edge_lies_the_background_or_the_edge():
    image = np.full((20, 20), 200, np.uint8)
    matrix = similarity((9.5, 9.5), (15.5, 15.5), 1, 0)
    background = np.full((32, 32), 10, np.uint8)
    crop = warp(image, matrix, 32, background)
    assert (crop[8:24, 8:24] == 200).all()
    assert (crop[:5] == 10).all()
    assert (background == 10).all()
    assert (warp(image, matrix, 32) == 200).all()


@pytest.mark.parametrize("shape", [(40, 60), (300, 200), (33, 33)])
def test_a_random_part_has_the_size_and_repeats_itself_from_equal_generators(shape):
    image = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    first, again, other = (random_part(image, 32, np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert first.shape == (32, 32)
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
