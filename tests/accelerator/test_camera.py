"""Views on the accelerator: evened as on the device, moved within limits, spoiled within limits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from edge.inference.preprocess import normalize_face
from train.accelerator.camera import Geometry, normalized, place, spoil


@pytest.fixture
def images():
    """Smooth pictures with edges, as (N, 48, 48) uint8."""
    y, x = np.mgrid[:48, :48]
    waves = [np.sin(x / (3 + n)) * np.cos(y / (2 + n)) for n in range(12)]
    return (128 + 90 * np.array(waves)).astype(np.uint8)


def test_pictures_are_evened_as_on_the_device(images):
    spoiled = np.asarray(spoil(jax.random.key(3), jnp.asarray(images, jnp.float32), 0.0)).astype(np.uint8)
    for pictures in (images, spoiled):
        expected = np.stack([normalize_face(image) for image in pictures]).astype(float)
        evened = np.asarray(normalized(jnp.asarray(pictures, jnp.float32)))[..., 0]
        # Sums in another order round a pixel in a thousand to its neighbour.
        assert abs(evened - expected).max() <= 1
        assert (evened != expected).mean() < 1e-3


def test_a_picture_that_is_not_moved_is_its_own_middle(images):
    wide = np.pad(images, ((0, 0), (4, 4), (4, 4)), mode="edge")
    middle = place(jax.random.key(1), wide, Geometry(20, 0.1, 1.2), jnp.zeros(len(wide)), flip=False)
    np.testing.assert_array_equal(np.asarray(middle), images)


def test_half_of_the_pictures_are_mirrored(images):
    many = np.repeat(images[:1], 200, axis=0)
    placed = np.asarray(place(jax.random.key(1), many, Geometry(), jnp.zeros(200)))
    mirrored = (placed == images[0][:, ::-1]).all((1, 2))
    assert ((placed == images[0]).all((1, 2)) | mirrored).all()
    assert 60 < mirrored.sum() < 140


def test_a_shift_keeps_to_its_limit():
    line = np.zeros((100, 48, 48), np.uint8)
    line[:, :, 24] = 255
    moved = np.asarray(place(jax.random.key(2), line, Geometry(shift=0.1), jnp.ones(100), flip=False))
    centres = (moved.mean(1) * np.arange(48)).sum(1) / moved.mean(1).sum(1)
    assert abs(centres - 24).max() <= 4.8 + 1e-3
    assert abs(centres - 24).max() > 3


def test_the_named_share_of_pictures_is_left_clean(images):
    many = jnp.asarray(np.repeat(images, 30, axis=0), jnp.float32)
    result = np.asarray(spoil(jax.random.key(4), many, 0.6))
    same = (result == np.asarray(many)).all((1, 2)).mean()
    assert 0.55 < same < 0.75  # a spoiled picture may draw no change
    assert result.min() >= 0
    assert result.max() <= 255
    np.testing.assert_array_equal(result, np.round(result))
