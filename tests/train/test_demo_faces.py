"""Faces made of averages: alike on both sides, with a photograph's detail, each as its label says."""

import numpy as np
import pytest

from edge.errors import DataError
from train.data import Dataset
from train.demo_faces import average_faces, classify_genders

ROWS, COLUMNS = np.mgrid[0:48, 0:48]


def pictures(label, gender, count):
    """Stripes across where the label is 1, a bright left half where the gender is 1, and noise."""
    noise = np.random.default_rng((label, gender)).normal(0, 40, (count, 48, 48))
    stripes, side = 12 * label * np.cos(ROWS * np.pi / 8), 12 * gender * (COLUMNS < 24)
    return np.clip(128 + stripes + side + noise, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def data():
    cells = [(label, gender) for label in (0, 1) for gender in (0, 1)]
    images = np.concatenate([pictures(*cell, 100) for cell in cells])
    labels, genders = (np.repeat([cell[place] for cell in cells], 100) for place in (0, 1))
    names = tuple(f"{number}" for number in range(400))
    return Dataset("toy", images, labels, ("flat", "striped"), names, np.array(["train"] * 400)), genders


def stripes_of(face):
    """How much of the label's stripes is in a face, against what else varies along its columns."""
    profile = face.astype(float).mean(axis=1)
    return np.corrcoef(profile, np.cos(np.arange(48) * np.pi / 8))[0, 1]


def test_each_face_is_as_its_label_says_and_alike_on_both_sides(data):
    faces = average_faces(*data)
    assert sorted(faces) == ["flat-female", "flat-male", "striped-female", "striped-male"]
    for name, face in faces.items():
        assert face.shape == (48, 48)
        assert face.dtype == np.uint8
        np.testing.assert_array_equal(face, face[:, ::-1])
        assert (stripes_of(face) > 0.7) if name.startswith("striped") else (stripes_of(face) < -0.7)


def test_detail_that_averaging_took_is_given_back(data):
    mean = data[0].images[data[0].labels == 1].mean(axis=0)
    face = average_faces(*data)["striped-male"].astype(float)

    def fine(picture):
        return np.abs(np.diff(picture, axis=1)).mean() / picture.std()

    assert fine(face) > 1.5 * fine((mean + mean[:, ::-1]) / 2)


def test_a_label_without_one_of_the_genders_is_named(data):
    with pytest.raises(DataError, match="no training picture of striped is read as female"):
        average_faces(data[0], np.where(data[0].labels == 1, 0, data[1]))


def test_genders_are_what_the_shipped_network_reads(scene):
    face = scene("happy")[120:360, 200:440]
    assert classify_genders(np.stack([face, face])).tolist() == [1, 1]
