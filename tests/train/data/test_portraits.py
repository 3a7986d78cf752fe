"""Portraits and where the face lies in them."""

import pickle

import numpy as np
import pytest

from edge.errors import DataError
from edge.inference.preprocess import Framing
from edge.types import Box
from train.data.dataset import Dataset
from train.data.portraits import portraits_of

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 96, 96), dtype=np.uint8)
DATA = Dataset(
    "toy",
    IMAGES,
    np.zeros(6, np.int64),
    ("male", "female"),
    tuple("abcdef"),
    np.array(["train", "val"] * 3),
)


def test_the_face_lies_where_the_framing_says(tmp_path):
    portraits = portraits_of(DATA, "val", Framing(0.8, 0.1), tmp_path)
    assert len(portraits) == 3
    np.testing.assert_array_equal(portraits.image(1), IMAGES[3])
    assert portraits.side == 120
    assert portraits.centre_xy == (47.5, 47.5 - 12)
    # A box there, cropped with that framing, is the whole image.
    x, y = (round(centre + 0.5 - 60) for centre in portraits.centre_xy)
    box = Box(x, y, 120, 120)
    assert (box.x + 60, box.y + 60 + 0.1 * 120) == (48, 48)


def test_the_images_are_kept_in_one_file_and_not_pickled(tmp_path):
    first = portraits_of(DATA, "train", Framing(1, 0), tmp_path)
    again = portraits_of(DATA, "train", Framing(1, 0), tmp_path)
    assert first.images == again.images
    assert len(list(tmp_path.iterdir())) == 1
    np.testing.assert_array_equal(first.image(0), again.image(0))
    assert len(pickle.dumps(first)) < 1_000
    assert portraits_of(DATA, "val", Framing(1, 0), tmp_path).fingerprint != first.fingerprint


def test_an_empty_split_is_refused(tmp_path):
    with pytest.raises(DataError, match="toy: no test rows"):
        portraits_of(DATA, "test", Framing(1, 0), tmp_path)
