"""Reduced and evened copies, against what OpenCV itself makes of them."""

import cv2
import numpy as np
import pytest

from edge.detection.image import downscale, equalize

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize("shape", [(300, 400), (72, 72), (1, 640), (1, 1), (23, 7)])
@pytest.mark.parametrize("kind", ["noise", "dim", "wall"])
def test_evened_as_opencv_does_it_with_one_tile(shape, kind):
    gray = RANDOM.integers(0, 256, shape, dtype=np.uint8)
    if kind == "dim":
        gray //= 8
    elif kind == "wall":
        gray[: shape[0] * 3 // 4] = 90
    before = gray.copy()
    ours, theirs = equalize(gray), cv2.createCLAHE(2.0, (1, 1)).apply(gray)
    np.testing.assert_array_equal(gray, before)
    if gray.size > 2000:  # it hands out what was cut off in whole counts, which tell in small pictures
        assert np.abs(ours.astype(int) - theirs).max() <= 2
    assert ours.shape == gray.shape
    assert ours.dtype == np.uint8


@pytest.mark.parametrize(
    ("shape", "size_wh"),
    [
        ((480, 640), (400, 300)),
        ((1080, 1920), (400, 225)),
        ((6, 8), (8, 6)),
        ((721, 1283), (64, 64)),
        ((1, 640), (400, 1)),
    ],
)
def test_a_reduced_picture_is_like_its_averages(shape, size_wh):
    smooth = cv2.GaussianBlur(RANDOM.integers(0, 256, shape, dtype=np.uint8), (31, 31), 9)
    ours, averages = downscale(smooth, size_wh), cv2.resize(smooth, size_wh, interpolation=cv2.INTER_AREA)
    assert ours.shape == size_wh[::-1]
    assert np.abs(ours.astype(int) - averages).mean() < 1.5


def test_of_strong_reduction_nothing_is_left_of_a_chequered_picture():
    """Plain interpolation would make stripes of it."""
    chequered = np.indices((480, 640)).sum(axis=0) % 2 * 255
    reduced = downscale(chequered.astype(np.uint8), (100, 75))
    assert 110 < reduced.min() <= reduced.max() < 145
