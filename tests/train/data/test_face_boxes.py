"""The cascade's box in pictures that the project owns: the demo's average faces."""

import cv2
import numpy as np
import pytest

from edge.errors import DataError
from edge.types import Box
from tests.support.faces import FACES
from train.data import Dataset
from train.data.face_boxes import detect_boxes, enlarge, measure, with_boxes


@pytest.fixture(scope="module")
def faces():
    return np.stack(
        [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in sorted(FACES.glob("*-female.png"))]
    )


def test_average_faces_fill_their_frame_as_their_set_does(faces):
    large = enlarge(faces)
    assert large.shape == (7, 96, 96)
    seen = measure(detect_boxes(large), 96)
    assert seen.found == 1.0
    assert seen.margin == pytest.approx(1.02, abs=0.12)
    assert abs(seen.offset_x[1]) < 0.05


def test_quantiles_are_shares_of_the_frame():
    seen = measure([Box(10, 0, 80, 80), Box(10, 20, 80, 80), None, None], 100)
    assert (seen.found, seen.count) == (0.5, 4)
    assert seen.width == (0.8, 0.8, 0.8)
    assert seen.margin == pytest.approx(1.25)
    assert seen.offset_x == (0.0, 0.0, 0.0)
    assert seen.offset_y == (-0.08, 0.0, 0.08)


def test_no_face_at_all_is_an_error():
    with pytest.raises(DataError, match="in none of 2 pictures; expected some upright ones"):
        measure([None, None], 96)


def test_a_set_without_faces_is_refused_and_nothing_is_kept(tmp_path):
    images = np.full((3, 96, 96), 128, np.uint8)
    data = Dataset("toy", images, np.zeros(3, np.int64), ("a", "b"), tuple("abc"), np.array(["train"] * 3))
    with pytest.raises(DataError, match="in none of 3 pictures"):
        with_boxes(data, tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_the_usual_box_stands_in_and_is_kept(faces, tmp_path):
    images = np.concatenate([enlarge(faces), np.full((1, 96, 96), 128, np.uint8)])
    data = Dataset(
        "toy", images, np.zeros(8, np.int64), ("a", "b"), tuple("abcdefgh"), np.array(["train"] * 8)
    )  # fmt: skip
    located = with_boxes(data, tmp_path)
    assert located.boxes is not None
    usual = located.boxes[7]
    assert abs(usual.width - np.median([box.width for box in located.boxes[:7]])) <= 1
    stored = list(tmp_path.glob("boxes-*.npy"))
    assert len(stored) == 1
    stamp = stored[0].stat().st_mtime_ns
    assert with_boxes(data, tmp_path).boxes == located.boxes
    assert stored[0].stat().st_mtime_ns == stamp
