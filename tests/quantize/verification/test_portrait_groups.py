"""Recall by group of people counts the portraits of each that are taken for faces."""

import numpy as np
import pytest

pytestmark = pytest.mark.train

from edge.inference.preprocess import Framing, crop_face  # noqa: E402
from edge.types import Box  # noqa: E402
from quantize.verification.portrait_groups import portrait_crops, recall_by_group  # noqa: E402
from train.data.mapped_array import MappedArray  # noqa: E402
from train.data.portraits import Portraits  # noqa: E402


@pytest.fixture
def portraits(tmp_path):
    """Four portraits of 96 pixels, smooth and each different, with a face of 64 pixels in the middle."""
    random = np.random.default_rng(0)
    images = np.repeat(np.repeat(random.integers(0, 256, (4, 6, 6)), 16, axis=1), 16, axis=2).astype(np.uint8)
    groups = {
        "old": np.array([True, True, False, False]),
        "young": np.array([False, False, True, True]),
        "nobody": np.zeros(4, np.bool_),
    }
    return Portraits(MappedArray.store(tmp_path / "images.npy", images), (47.5, 47.5), 64.0, "", groups)


def test_recall_is_counted_by_group(portraits):
    results = recall_by_group(portraits, np.array([1.0, 2.0, 1.9, -3.0]), 1.5)
    assert results == {"old": {"count": 2, "recall": 0.5}, "young": {"count": 2, "recall": 0.5}}
    assert recall_by_group(portraits, np.array([1.5, 2.0, 1.4, -3.0]), 1.5)["old"]["recall"] == 1.0


def test_crops_are_those_that_the_device_takes_around_the_face(portraits):
    crops = portrait_crops(portraits, 32)
    assert crops.shape == (4, 32, 32)
    for crop, image in zip(crops, portraits.images.array, strict=True):
        device = crop_face(image, Box(16, 16, 64, 64), 32, Framing(1.25, 0.0)).astype(int)
        difference = np.abs(crop.astype(int) - device)
        assert np.median(difference) <= 1
