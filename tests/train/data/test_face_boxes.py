"""The cascade's box in images that the project owns: the demo's average faces."""

import cv2
import numpy as np
import pytest

from edge.errors import DataError
from tests.support.faces import FACES
from tests.support.pictures import read_picture
from train.data import Dataset
from train.data.face_boxes import detect_boxes, enlarge, measure_framing, with_boxes


@pytest.fixture(scope="module")
def faces():
    """(7, 96, 96) average faces."""
    images = [read_picture(path, cv2.IMREAD_GRAYSCALE) for path in sorted(FACES.glob("*-female.png"))]
    return enlarge(np.stack(images))


def dataset_of(images):
    ids = tuple(map(str, range(len(images))))
    splits = np.array(["train"] * len(images))
    return Dataset("toy", images, np.zeros(len(images), np.int64), ("a", "b"), ids, splits)


def test_average_faces_fill_their_image_as_those_of_their_dataset_do(faces):
    boxes = detect_boxes(faces)
    assert boxes.shape == (7, 4)
    assert boxes.dtype == np.int32
    framing = measure_framing(boxes, 96)
    assert framing.found == 1.0
    assert framing.margin == pytest.approx(1.02, abs=0.12)
    assert abs(framing.offset_x[1]) < 0.05


def test_an_image_without_a_face_has_a_row_of_zeros(faces):
    images = np.stack([faces[0], np.full((96, 96), 128, np.uint8)])
    found, missing = detect_boxes(images).tolist()
    assert found[2] > 48
    assert missing == [0, 0, 0, 0]


def test_of_several_faces_the_most_central_one_is_found(faces):
    image = np.full((300, 300), 128, np.uint8)
    image[5:125, 5:125] = cv2.resize(faces[3], (120, 120))
    image[150:270, 130:250] = cv2.resize(faces[4], (120, 120))
    ((x, y, width, height),) = detect_boxes(image[np.newaxis]).tolist()
    assert (x + width / 2, y + height / 2) == pytest.approx((190, 210), abs=12)
    ((x, y, width, height),) = detect_boxes(image[np.newaxis, :, ::-1]).tolist()
    assert (x + width / 2, y + height / 2) == pytest.approx((110, 210), abs=12)


def test_only_small_images_are_enlarged():
    assert enlarge(np.zeros((2, 48, 48), np.uint8)).shape == (2, 96, 96)
    assert enlarge(np.zeros((2, 120, 120), np.uint8)).shape == (2, 120, 120)


def test_quantiles_are_shares_of_the_side():
    boxes = np.array([[10, 0, 80, 80], [10, 20, 80, 80], [0] * 4, [0] * 4], dtype=np.int32)
    framing = measure_framing(boxes, 100)
    assert (framing.found, framing.count) == (0.5, 4)
    assert framing.width == (0.8, 0.8, 0.8)
    assert framing.margin == pytest.approx(1.25)
    assert framing.offset_x == (0.0, 0.0, 0.0)
    assert framing.offset_y == (-0.08, 0.0, 0.08)


def test_no_face_at_all_is_an_error():
    with pytest.raises(DataError, match="in none of 2 pictures; expected some upright ones"):
        measure_framing(np.zeros((2, 4), np.int32), 96)


def test_a_dataset_without_faces_is_refused_and_nothing_is_stored(tmp_path):
    data = dataset_of(np.full((3, 96, 96), 128, np.uint8))
    with pytest.raises(DataError, match="in none of 3 pictures"):
        with_boxes(data, tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_the_median_box_stands_in_where_no_face_is_found(faces, tmp_path):
    data = dataset_of(np.concatenate([faces, np.full((1, 96, 96), 128, np.uint8)]))
    boxes = with_boxes(data, tmp_path).boxes
    assert boxes is not None
    assert boxes.dtype == np.int32
    found, median = boxes[:7], boxes[7]
    assert abs(median[2] - np.median(found[:, 2])) <= 1
    centres = found[:, :2] + found[:, 2:] / 2
    np.testing.assert_allclose(median[:2] + median[2:] / 2, np.median(centres, axis=0), atol=1)


def test_boxes_are_searched_once(faces, tmp_path):
    data = dataset_of(faces)
    first = with_boxes(data, tmp_path).boxes
    (file,) = tmp_path.glob("boxes-*.npy")
    stamp = file.stat().st_mtime_ns
    again = with_boxes(data, tmp_path).boxes
    assert first is not None
    assert again is not None
    np.testing.assert_array_equal(again, first)
    assert again.dtype == np.int32
    assert file.stat().st_mtime_ns == stamp
    with_boxes(dataset_of(faces[::-1]), tmp_path)
    assert len(list(tmp_path.glob("boxes-*.npy"))) == 2
