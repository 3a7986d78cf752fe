import hashlib

import cv2
import numpy as np
import pytest

from edge.inference.preprocess import (
    Framing,
    crop_face,
    crop_square,
    even_sharpness,
    normalize_contrast,
    normalize_face,
)
from edge.types import Box
from tests.support.faces import turned

EXACT = Framing(margin=1.0, shift_y=0.0)
# Every pixel says where it lies: 10 times its row plus its column.
RAMP = (np.arange(20)[:, None] * 10 + np.arange(10)[None, :]).astype(np.uint8)


def test_a_crop_of_its_own_size_is_the_pixels_themselves():
    np.testing.assert_array_equal(crop_square(RAMP, Box(2, 3, 4, 4), 4, EXACT), RAMP[3:7, 2:6])


@pytest.mark.parametrize(
    ("box", "rows", "columns"),
    [
        (Box(-2, 3, 4, 4), [3, 4, 5, 6], [0, 0, 0, 1]),
        (Box(8, 3, 4, 4), [3, 4, 5, 6], [8, 9, 9, 9]),
        (Box(2, -2, 4, 4), [0, 0, 0, 1], [2, 3, 4, 5]),
        (Box(2, 18, 4, 4), [18, 19, 19, 19], [2, 3, 4, 5]),
        (Box(-2, -2, 4, 4), [0, 0, 0, 1], [0, 0, 0, 1]),
    ],
)
def test_beyond_the_edge_the_edge_is_repeated(box, rows, columns):
    np.testing.assert_array_equal(crop_square(RAMP, box, 4, EXACT), RAMP[np.ix_(rows, columns)])


@pytest.mark.parametrize("box", [Box(0, 0, 1, 1), Box(9, 19, 1, 1), Box(-30, -30, 80, 80), Box(0, 0, 10, 20)])
@pytest.mark.parametrize("framing", [EXACT, Framing(1.02, 0.0), Framing(2.0, 0.0), Framing(0.5, -0.1)])
def test_the_crop_is_always_a_square_of_bytes_inside_the_range_of_the_picture(box, framing):
    crop = crop_square(RAMP, box, 48, framing)
    assert crop.shape == (48, 48)
    assert crop.dtype == np.uint8
    assert RAMP.min() <= crop.min() <= crop.max() <= RAMP.max()


def test_the_square_takes_the_longer_side_and_keeps_the_centre():
    crop = crop_square(RAMP, Box(4, 5, 2, 6), 6, EXACT)
    np.testing.assert_array_equal(crop, RAMP[5:11, 2:8])


def test_margin_and_shift_move_the_square():
    crop = crop_square(RAMP, Box(3, 3, 4, 4), 8, Framing(margin=2.0, shift_y=0.5))
    np.testing.assert_array_equal(crop, RAMP[3:11, 1:9])


def test_the_crop_is_a_copy():
    picture = RAMP.copy()
    crop_square(picture, Box(2, 3, 4, 4), 4, EXACT)[:] = 0
    np.testing.assert_array_equal(picture, RAMP)


def test_a_square_outside_the_picture_is_refused():
    with pytest.raises(ValueError, match="outside a frame of 10x20"):
        crop_square(RAMP, Box(50, 50, 4, 4), 4, EXACT)


def test_a_face_is_cut_and_made_even():
    face = crop_face(RAMP, Box(2, 3, 4, 4), 4, EXACT)
    np.testing.assert_array_equal(face, normalize_face(RAMP[3:7, 2:6]))
    np.testing.assert_array_equal(face, even_sharpness(normalize_contrast(RAMP[3:7, 2:6])))


@pytest.mark.parametrize(("gain", "level"), [(1.0, 0), (0.4, 60), (0.4, 150)])
def test_dim_and_hazy_pictures_become_what_the_clear_one_becomes(gain, level):
    clear = np.random.default_rng(0).normal(128, 40, (48, 48)).clip(0, 255)
    hazy = (clear * gain + level).astype(np.uint8)
    evened = normalize_contrast(hazy).astype(float)
    assert evened.mean() == pytest.approx(128, abs=2)
    assert evened.std() == pytest.approx(54, abs=2)
    # Rounding to a few levels is all that the haze cost.
    assert np.abs(evened - normalize_contrast(clear.astype(np.uint8))).mean() < 6


def test_what_shows_nothing_is_not_blown_up():
    assert (normalize_contrast(np.full((8, 8), 7, np.uint8)) == 128).all()
    noise = np.random.default_rng(0).integers(100, 103, (48, 48), dtype=np.uint8)
    assert normalize_contrast(noise).std() == pytest.approx(4 * noise.std(), rel=0.01)


def drawing(sigma_px, seed=0):
    """A picture of 48x48 with lines as fine as a face's, blurred, of even contrast."""
    random = np.random.default_rng(seed)
    image = np.full((48, 48), 128, np.uint8)
    for _ in range(30):
        (x, y, across, down), level = random.integers(0, 48, 4).tolist(), int(random.integers(0, 256))
        cv2.ellipse(image, (x, y), (across // 3, down // 3), 0, 0, 360, (level,), 2)
    return normalize_contrast(np.asarray(cv2.GaussianBlur(image, (0, 0), sigma_px), np.uint8))


def sharpness(image):
    return float(np.sqrt((cv2.Laplacian(image, cv2.CV_64F) ** 2).mean()))


def with_noise(image, sigma, seed=1):
    noisy = image + np.random.default_rng(seed).normal(0, sigma, image.shape)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("sigma_px", [1.2, 1.4, 1.6])
def test_a_blurred_picture_is_sharpened_to_one_sharpness(sigma_px):
    blurred = drawing(sigma_px)
    assert sharpness(blurred) < 29
    assert sharpness(even_sharpness(blurred)) == pytest.approx(30, abs=1)


def test_sharpening_has_a_limit():
    very_blurred = drawing(4.0)
    assert sharpness(very_blurred) < sharpness(even_sharpness(very_blurred)) < 20


def test_a_clear_picture_stays_as_it_is():
    clear = drawing(0.8)
    assert sharpness(clear) > 30
    assert even_sharpness(clear) is clear


@pytest.mark.parametrize("sigma", [12, 16, 24])
def test_noise_is_reduced(sigma):
    clear = drawing(0.8)
    noisy = with_noise(clear, sigma)
    before, after = (float((image - clear.astype(float)).std()) for image in (noisy, even_sharpness(noisy)))
    assert after < 0.8 * before


def test_an_edge_in_noise_stays_an_edge():
    edge = np.tile(np.repeat(np.array([60, 196], np.uint8), 24), (48, 1))
    evened = even_sharpness(with_noise(edge, 10))
    assert evened[:, 24].mean() - evened[:, 23].mean() > 0.8 * (196 - 60)
    assert evened[:, :20].std() < 7


@pytest.mark.parametrize("level", [0, 128, 255])
@pytest.mark.parametrize("size", [1, 2, 4, 48])
def test_what_shows_nothing_stays_as_it_is(level, size):
    flat = np.full((size, size), level, np.uint8)
    np.testing.assert_array_equal(even_sharpness(flat), flat)


def test_the_extreme_levels_do_not_overflow():
    checks = np.indices((48, 48)).sum(axis=0) % 2 * 255
    stripes = np.tile(np.repeat([0, 255], 24), (48, 1))
    for image in (checks, stripes, 255 - stripes):
        evened = even_sharpness(image.astype(np.uint8)).astype(int)
        assert (np.abs(evened - image) < 200).all()


def test_evening_leaves_its_input_as_it_is():
    for image in (drawing(1.4), with_noise(drawing(0.8), 16)):
        before = image.copy()
        image.flags.writeable = False
        assert not np.array_equal(even_sharpness(image), before)
        np.testing.assert_array_equal(image, before)


def test_sharpness_is_evened_to_the_same_pixels_on_every_processor():
    """The digest was computed on x86-64 with AVX-512, OpenCV 4.11 and NumPy 1.26."""
    random = np.random.default_rng(0)
    levels = random.integers(0, 256, (20, 12, 12), dtype=np.uint8)
    images = levels.repeat(4, axis=1).repeat(4, axis=2)  # blocks, which are sharp
    ramps = (np.arange(48)[:, None] * np.arange(48)[None, :] // 9).astype(np.uint8)  # smooth
    noise = random.integers(-12, 13, (20, 48, 48))
    noisy = np.clip(images.astype(int) // 2 + 64 + noise, 0, 255).astype(np.uint8)
    digest = hashlib.sha256()
    for image in (*images, ramps, ramps.T[::-1].copy(), *noisy):
        digest.update(even_sharpness(image).tobytes())
        blurred = (
            image.astype(int) + np.roll(image, 1, 0) + np.roll(image, 1, 1) + np.roll(image, 2, 0)
        ) // 4
        digest.update(even_sharpness(blurred.astype(np.uint8)).tobytes())
    assert digest.hexdigest()[:16] == "b2f58e99c8f4fa4a"


def blob(seed=0):
    """A smooth picture of 400x300 that differs everywhere."""
    noise = np.random.default_rng(seed).normal(0, 1, (300, 400)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 10)
    return np.asarray(cv2.normalize(smooth, None, 0, 255, cv2.NORM_MINMAX), np.uint8)  # type: ignore[call-overload]


@pytest.mark.parametrize("roll", [-180, -90, -45, -20, 16, 30, 60, 135])
@pytest.mark.parametrize("side", [40, 80, 100])
@pytest.mark.parametrize("framing", [EXACT, Framing(1.3, -0.1), Framing(1.02, 0.25)])
def test_a_turned_face_is_cut_as_the_upright_one(roll, side, framing):
    upright = blob()
    tilted = turned(upright, (199.5, 149.5), roll)
    box = Box(200 - side // 2, 150 - side // 2, side, side)
    cut = crop_face(tilted, box, 48, framing, roll)
    assert cut.shape == (48, 48)
    assert cut.dtype == np.uint8
    difference = np.abs(cut.astype(int) - crop_face(upright, box, 48, framing))
    assert difference.mean() < 6  # both squares are rounded to whole pixels
    assert np.percentile(difference, 99) < 24
    assert np.abs(cut.astype(int) - crop_face(tilted, box, 48, framing)).mean() > 3 * difference.mean()


@pytest.mark.parametrize("roll", [-10, 0, 5, 10])
def test_a_small_turn_is_left_as_it_is(roll):
    box = Box(170, 120, 60, 60)
    np.testing.assert_array_equal(crop_face(blob(), box, 48, EXACT, roll), crop_face(blob(), box, 48, EXACT))


def test_a_full_turn_is_none():
    box = Box(170, 120, 60, 60)
    whole, none = (crop_face(blob(), box, 48, EXACT, roll) for roll in (360, 0))
    assert np.abs(whole.astype(int) - none).mean() < 6


@pytest.mark.parametrize(
    "box", [Box(-40, -40, 80, 80), Box(360, 260, 80, 80), Box(0, 0, 1, 1), Box(-300, -300, 1000, 1000)]
)
@pytest.mark.parametrize("roll", [-45, 20, 90])
def test_a_turned_face_at_the_edge(box, roll):
    cut = crop_face(blob(), box, 48, Framing(1.25, -0.1), roll)
    assert cut.shape == (48, 48)
    assert cut.dtype == np.uint8


def test_a_turned_square_outside_the_picture_is_refused():
    with pytest.raises(ValueError, match="outside a frame of 400x300"):
        crop_face(blob(), Box(900, 900, 40, 40), 48, EXACT, 45)


def test_a_turned_crop_leaves_the_picture_as_it_is():
    picture = blob()
    before = picture.copy()
    picture.flags.writeable = False
    crop_face(picture, Box(170, 120, 60, 60), 48, EXACT, 45)
    np.testing.assert_array_equal(picture, before)


@pytest.mark.parametrize("side", [128, 131, 254, 255, 700, 1001])
@pytest.mark.parametrize("size", [32, 48])
def test_a_large_face_is_reduced_in_two_steps_to_what_one_step_gives(side, size):
    """The faster way moves an edge by a quarter of a pixel of the result at most."""
    noise = np.random.default_rng(side).integers(0, 256, (1080, 1100), dtype=np.uint8)
    blurred = cv2.GaussianBlur(noise, (0, 0), side / 10).astype(float)
    picture = np.rint(255 * (blurred - blurred.min()) / np.ptp(blurred)).astype(np.uint8)
    crop = crop_square(picture, Box(50, 40, side, side), size, EXACT)
    whole = cv2.resize(picture[40 : 40 + side, 50 : 50 + side], (size, size), interpolation=cv2.INTER_AREA)
    difference = np.abs(crop.astype(int) - whole)
    assert difference.mean() < 1.5
    assert difference.max() < 12


def test_a_face_of_a_usual_size_is_reduced_in_one_step():
    picture = np.random.default_rng(1).integers(0, 256, (200, 200), dtype=np.uint8)
    crop = crop_square(picture, Box(3, 5, 127, 127), 32, EXACT)
    whole = cv2.resize(picture[5:132, 3:130], (32, 32), interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(crop, whole)
