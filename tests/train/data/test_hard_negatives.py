"""What the cascade takes for faces in images without any."""

from dataclasses import replace

import numpy as np

from tests.support.faces import picture_of
from tests.support.scene_fixtures import toy_scene
from train.data.hard_negatives import find_hard_negatives
from train.data.scene_images import decode_scenes


def face_like(number):
    """Returns a scene that is said to hold no face, in which the cascade finds one."""
    import cv2

    encoded = cv2.imencode(".jpg", picture_of("happy"))[1].tobytes()
    return replace(toy_scene(number, "train", "none"), encoded=encoded)


def test_boxes_are_found_in_images_without_faces_alone_and_kept(tmp_path):
    picture = face_like(3)
    with_faces = replace(toy_scene(0, "train"), encoded=picture.encoded)
    images = decode_scenes([with_faces, toy_scene(1, "train", "none"), picture], tmp_path)
    boxes = find_hard_negatives(images, tmp_path)
    assert boxes.shape[1] == 5
    assert set(boxes[:, 0]) == {2}
    assert boxes[:, 3].min() >= 24
    assert (np.diff(boxes[:, 1]) >= 0).all()
    (file,) = tmp_path.glob("hard-negatives-*.npy")
    np.save(file, boxes[:1])
    np.testing.assert_array_equal(find_hard_negatives(images, tmp_path), boxes[:1])


def test_images_without_false_alarms_lead_to_no_boxes(tmp_path):
    images = decode_scenes([toy_scene(0, "train"), toy_scene(1, "train", "none")], tmp_path)
    assert find_hard_negatives(images, tmp_path).shape == (0, 5)
