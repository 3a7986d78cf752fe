"""The crop of a face out of a whole scene."""

import cv2
import numpy as np

from train.data.scene_crop import SceneCropper


def test_the_largest_face_of_a_scene_is_cropped(scene):
    image = np.hstack([scene("neutral"), np.full((490, 320), 128, np.uint8)])
    image[150:310, 720:880] = cv2.resize(scene("happy")[120:360, 200:440], (160, 160))
    cropper = SceneCropper()
    alone = cropper.crop(scene("neutral"))
    both = cropper.crop(image)
    assert alone is not None
    assert both is not None
    assert both.image.shape == (96, 96)
    assert np.abs(both.image.astype(int) - alone.image).mean() < 8


def test_the_box_lies_in_the_middle_of_the_square(scene):
    crop = SceneCropper().crop(scene("happy"))
    assert crop is not None
    # 96 / 1.6 = 60 pixels.
    assert crop.box == (18, 18, 60, 60)
    assert crop.image[18:78, 18:78].std() > 20


def test_a_scene_without_a_face_has_no_crop():
    assert SceneCropper().crop(np.full((40, 40), 128, np.uint8)) is None
