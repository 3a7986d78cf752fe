"""Decoded scenes in one file."""

import pickle
from dataclasses import replace

import cv2
import numpy as np
import pytest

from edge.errors import DataError
from tests.support.scene_fixtures import toy_scene
from train.data.scene_images import decode_scenes

SCENES = [toy_scene(0, "train"), toy_scene(1, "train", "none"), toy_scene(2, "train")]


@pytest.fixture
def other_size():
    """A scene of another size than the others."""
    encoded = cv2.imencode(".jpg", np.full((30, 50), 7, np.uint8))[1].tobytes()
    return replace(SCENES[1], encoded=encoded)


def test_images_are_those_of_the_scenes(tmp_path, other_size):
    scenes = [SCENES[0], other_size, SCENES[2]]
    images = decode_scenes(scenes, tmp_path)
    assert len(images) == 3
    for index, scene in enumerate(scenes):
        np.testing.assert_array_equal(images.image(index), scene.image())
    assert images.face_free == (1,)
    assert images.with_faces == (0, 2)
    assert images.clear_faces.tolist() == [[0, 0], [2, 0]]


def test_the_file_is_written_once(tmp_path):
    decode_scenes(SCENES, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    again = decode_scenes(SCENES, tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before
    np.testing.assert_array_equal(again.image(2), SCENES[2].image())


def test_other_annotations_are_other_scenes(tmp_path):
    first = decode_scenes(SCENES, tmp_path).fingerprint
    faces = replace(SCENES[0].faces, yaw=SCENES[0].faces.yaw + 0.1)
    assert decode_scenes([replace(SCENES[0], faces=faces), *SCENES[1:]], tmp_path).fingerprint != first


def test_another_process_receives_the_path_instead_of_the_pixels(tmp_path):
    images = decode_scenes(SCENES, tmp_path)
    images.image(0)
    content = pickle.dumps(images)
    assert len(content) < 10_000
    np.testing.assert_array_equal(pickle.loads(content).image(2), SCENES[2].image())


@pytest.mark.parametrize("scenes", [SCENES[:1], SCENES[1:2]], ids=["no image without faces", "no face"])
def test_scenes_of_one_kind_are_refused(tmp_path, scenes):
    with pytest.raises(DataError, match="expected some with clear faces and some without any face"):
        decode_scenes(scenes, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_cache_is_one_clear_line(tmp_path):
    images = decode_scenes(SCENES, tmp_path)
    images.pixels.path.write_bytes(b"damaged")
    with pytest.raises(DataError, match=r"scenes-.*\.npy: no array of this package .* remove it"):
        decode_scenes(SCENES, tmp_path).image(0)
