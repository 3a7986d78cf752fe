"""Average faces are symmetric, show their label, and have the detail of photographs."""

from dataclasses import replace

import numpy as np
import pytest

from edge.errors import DataError
from train.data import Dataset
from train.demo_faces import average_faces, classify_genders

ROWS, COLUMNS = np.mgrid[0:48, 0:48]


def noisy_images(label, gender, count):
    """Horizontal stripes for label 1, a bright left half for gender 1, and noise."""
    noise = np.random.default_rng((label, gender)).normal(0, 40, (count, 48, 48))
    stripes, side = 12 * label * np.cos(ROWS * np.pi / 8), 12 * gender * (COLUMNS < 24)
    return np.clip(128 + stripes + side + noise, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def data():
    cells = [(label, gender) for label in (0, 1) for gender in (0, 1)]
    images = np.concatenate([noisy_images(*cell, 100) for cell in cells])
    labels, genders = (np.repeat([cell[index] for cell in cells], 100) for index in (0, 1))
    names = tuple(f"{number}" for number in range(400))
    return Dataset("toy", images, labels, ("flat", "striped"), names, np.array(["train"] * 400)), genders


def stripes_of(face):
    """Correlation of a face with the label's stripes."""
    profile = face.astype(float).mean(axis=1)
    return np.corrcoef(profile, np.cos(np.arange(48) * np.pi / 8))[0, 1]


def test_each_face_shows_its_label_and_is_symmetric(data):
    faces = average_faces(*data)
    assert sorted(faces) == ["flat-female", "flat-male", "striped-female", "striped-male"]
    for name, face in faces.items():
        assert face.shape == (48, 48)
        assert face.dtype == np.uint8
        np.testing.assert_array_equal(face, face[:, ::-1])
        assert (stripes_of(face) > 0.7) if name.startswith("striped") else (stripes_of(face) < -0.7)


def test_images_that_annotators_doubt_count_less(data):
    toy, genders = data
    doubted = (toy.labels == 1) & (np.arange(400) % 2 == 0)
    votes = np.eye(2, dtype=np.float32)[toy.labels]
    votes[doubted] = 0.05
    unsure = replace(toy, images=np.where(doubted[:, None, None], 255 - toy.images, toy.images))
    for name in ("striped-male", "striped-female"):
        by_votes = average_faces(replace(unsure, soft_labels=votes), genders)[name]
        assert stripes_of(by_votes) > stripes_of(average_faces(unsure, genders)[name])


def test_detail_that_averaging_removes_is_restored(data):
    mean = data[0].images[data[0].labels == 1].mean(axis=0)
    face = average_faces(*data)["striped-male"].astype(float)

    def detail(image):
        return np.abs(np.diff(image, axis=1)).mean() / image.std()

    assert detail(face) > 1.5 * detail((mean + mean[:, ::-1]) / 2)


def test_a_label_without_one_of_the_genders_is_named(data):
    with pytest.raises(DataError, match="no training picture of striped is read as female"):
        average_faces(data[0], np.where(data[0].labels == 1, 0, data[1]))


def test_genders_are_those_that_the_shipped_network_predicts(scene):
    face = scene("happy")[120:360, 200:440]
    assert classify_genders(np.stack([face, face])).tolist() == [1, 1]
