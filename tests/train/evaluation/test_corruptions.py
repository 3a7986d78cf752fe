import numpy as np
import pytest

from train.evaluation.corruptions import CAMERA_ROWS, CORRUPTIONS, camera_accuracy, corrupt

RANDOM = np.random.default_rng(0)
# A bright square on dark ground, darker on the right, with some texture.
FACES = np.full((6, 48, 48), 60, np.uint8)
FACES[:, 12:36, 12:30] = 200
FACES[:, 12:36, 30:36] = 140
FACES += RANDOM.integers(0, 8, FACES.shape, dtype=np.uint8)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_every_corruption_is_deterministic_and_keeps_its_input(name):
    before = FACES.copy()
    first, again = corrupt(FACES, name, 3), corrupt(FACES, name, 3)
    assert first.shape == FACES.shape
    assert first.dtype == np.uint8
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first[:2], corrupt(FACES[:2], name, 3))
    np.testing.assert_array_equal(FACES, before)
    assert (name == "clean") == np.array_equal(first, FACES)


@pytest.mark.parametrize("name", ["noise 16", "dark 0.3", "side light", "moved 10 %", "roll 20°"])
def test_the_seed_decides_on_what_is_random(name):
    assert not np.array_equal(corrupt(FACES, name, 3), corrupt(FACES, name, 4))


def test_noise_and_light_have_the_strength_that_they_are_named_after():
    flat = np.full((4, 48, 48), 100, np.uint8)
    assert corrupt(flat, "noise 16").std() == pytest.approx(16, rel=0.03)
    dark = corrupt(flat, "dark 0.3")
    assert dark.mean() == pytest.approx(30, abs=0.3)
    assert dark.std() == pytest.approx(4, rel=0.05)
    lit = corrupt(np.repeat(flat, 5, axis=0), "side light")
    assert {(int(image[0, 0]), int(image[0, -1])) for image in lit} == {(30, 100), (100, 30)}
    assert corrupt(flat, "gamma 2")[0, 0, 0] == round(255 * (100 / 255) ** 2)


def test_lengths_are_those_of_a_crop_of_48_pixels():
    edge = np.zeros((1, 48, 48), np.uint8)
    edge[:, :, 24:] = 200
    twice = edge.repeat(2, axis=1).repeat(2, axis=2)
    small, large = corrupt(edge, "blur 1.5 px")[0], corrupt(twice, "blur 1.5 px")[0]
    halves = large.reshape(48, 2, 48, 2).mean(axis=(1, 3))
    assert np.abs(small - halves).max() < 3


def test_boxes_move_and_scale_and_repeat_the_edge():
    spot = np.full((20, 48, 48), 10, np.uint8)
    spot[:, 24, 24] = 250
    moved = corrupt(spot, "moved 10 %")
    places = np.array([np.argwhere(image == 250)[0] for image in moved])
    distances = np.hypot(*(places - 24).T)
    assert (np.abs(distances - 4.8) < 0.8).all()
    assert len({tuple(place) for place in places.tolist()}) > 5
    disc = np.full((1, 48, 48), 10, np.uint8)
    disc[:, 12:36, 12:36] = 250
    assert (corrupt(disc, "box 0.8") > 128).sum() == pytest.approx((24 / 0.8) ** 2, rel=0.1)
    assert (corrupt(disc, "box 1.25") > 128).sum() == pytest.approx((24 / 1.25) ** 2, rel=0.1)


def test_halves_are_covered():
    assert (corrupt(FACES, "upper half covered")[:, :24] == 128).all()
    np.testing.assert_array_equal(corrupt(FACES, "upper half covered")[:, 24:], FACES[:, 24:])
    assert (corrupt(FACES, "lower half covered")[:, 24:] == 128).all()


def test_camera_accuracy_is_the_mean_of_its_rows():
    accuracy = dict.fromkeys(CORRUPTIONS, 0.0) | dict.fromkeys(CAMERA_ROWS, 0.5) | {"clean": 1.0}
    assert camera_accuracy(accuracy) == pytest.approx(0.5 + 0.5 / 14)
    assert set(CAMERA_ROWS) < set(CORRUPTIONS)
