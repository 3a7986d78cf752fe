import shutil
from itertools import pairwise

import cv2
import numpy as np
import pytest

import edge.detection.haar
from edge.detection.haar import HaarDetector, HaarSettings, find_cascade
from edge.errors import ConfigError, MissingDependencyError
from edge.system import remedies
from edge.types import Box


@pytest.fixture(scope="module")
def detector():
    return HaarDetector()


def boxes_in(detector, picture):
    boxes = [detection.box for detection in detector.detect(picture)]
    height, width = picture.shape
    assert all(box == box.clipped((height, width)) for box in boxes)
    assert all(type(side) is int for box in boxes for side in (box.x, box.y, box.width, box.height))
    return boxes


def test_every_face_of_the_project_is_found_where_it_is(detector, each_face, face_box):
    (box,) = boxes_in(detector, each_face)
    assert box.iou(face_box) > 0.5
    assert detector.detect(each_face)[0].confidence is None


@pytest.mark.parametrize("wh", [(320, 240), (640, 480), (1920, 1440), (2000, 700), (700, 2000), (8000, 6000)])
def test_boxes_are_in_pixels_of_the_whole_picture(detector, happy, face_box, wh):
    ratio = min(wh[0] / 640, wh[1] / 480)
    face = cv2.resize(happy, None, fx=ratio, fy=ratio, interpolation=cv2.INTER_AREA)
    picture = np.full((wh[1], wh[0]), 128, np.uint8)
    picture[: face.shape[0], : face.shape[1]] = face[: wh[1], : wh[0]]
    (box,) = boxes_in(detector, picture)
    sides = (face_box.x, face_box.y, face_box.width, face_box.height)
    assert box.iou(Box(*(round(side * ratio) for side in sides))) > 0.5


@pytest.mark.parametrize(
    "hw", [(1, 1), (1, 640), (480, 1), (1, 8000), (23, 23), (24, 24), (25, 400), (480, 640)]
)
@pytest.mark.parametrize("kind", ["black", "white", "noise"])
def test_a_picture_without_a_face_has_none(detector, hw, kind):
    noise = np.random.default_rng(1).integers(0, 256, hw).astype(np.uint8)
    picture = {"black": np.zeros(hw, np.uint8), "white": np.full(hw, 255, np.uint8), "noise": noise}[kind]
    assert boxes_in(detector, picture) == []


def test_a_flat_picture_of_48_megapixels_is_no_trouble(detector):
    assert boxes_in(detector, np.zeros((6000, 8000), np.uint8)) == []


def test_a_face_at_the_edge_stays_in_the_picture(detector, happy, face_box):
    inset = 14  # of a face that touches the edge on every side but for these pixels
    picture = happy[face_box.y - inset :, face_box.x - inset :][: 240 + 2 * inset, : 240 + 2 * inset]
    assert len(boxes_in(detector, np.ascontiguousarray(picture))) == 1


def test_several_faces_come_from_left_to_right_whatever_the_threads(detector, happy):
    small = cv2.resize(happy, (320, 240), interpolation=cv2.INTER_AREA)
    picture = np.vstack([np.hstack([small] * 3), np.hstack([small] * 3)])
    found = []
    before = cv2.getNumThreads()
    for threads in (1, 2, 4, 4):
        cv2.setNumThreads(threads)
        found.append(boxes_in(detector, picture))
    cv2.setNumThreads(before)
    assert len(found[0]) == 6
    assert all(one.x <= other.x for one, other in pairwise(found[0]))
    assert all(boxes == found[0] for boxes in found)


def test_faces_below_the_smallest_size_are_left_out(happy):
    assert boxes_in(HaarDetector(HaarSettings(min_face=0.4)), happy)
    assert not boxes_in(HaarDetector(HaarSettings(min_face=0.8)), happy)


def test_a_missing_cascade_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.xml: cannot be read: No such file"):
        HaarDetector(HaarSettings(cascade=tmp_path / "none.xml"))


def test_a_cascade_whose_name_would_end_opencv_is_refused(tmp_path):
    path = tmp_path / "a\udcff.xml"
    shutil.copy(find_cascade(), path)
    with pytest.raises(ConfigError, match="expected a file name in UTF-8"):
        HaarDetector(HaarSettings(cascade=path))


@pytest.mark.parametrize(
    "content",
    [
        "",
        "hello",
        "<?xml version='1.0'?><opencv_storage><a>1</a></opencv_storage>",
        "<?xml version='1.0'?><op",
    ],
)
def test_a_damaged_cascade_is_named(tmp_path, content):
    path = tmp_path / "damaged.xml"
    path.write_text(content)
    with pytest.raises(ConfigError, match=r"damaged\.xml: not a cascade") as caught:
        HaarDetector(HaarSettings(cascade=path))
    assert "\n" not in str(caught.value)


def test_an_opencv_without_the_cascade_says_what_to_install(monkeypatch):
    monkeypatch.delattr(cv2, "CascadeClassifier")
    with pytest.raises(MissingDependencyError, match=r"has no Haar cascade, .* expected; fix: `") as caught:
        HaarDetector()
    assert f"pip install --force-reinstall --no-deps {remedies.wanted('opencv-python-headless')}`" in str(
        caught.value
    )
    assert caught.value.exit_code == 2


def test_the_cascade_of_the_system_serves_where_opencv_brings_none(monkeypatch, tmp_path):
    own = find_cascade()
    monkeypatch.delattr(cv2, "data")
    monkeypatch.setattr(edge.detection.haar, "_SYSTEM_FOLDERS", (tmp_path,))
    with pytest.raises(MissingDependencyError, match="fix: `sudo apt install -y opencv-data`") as caught:
        HaarDetector()
    assert str(tmp_path) in str(caught.value)
    (tmp_path / own.name).write_bytes(own.read_bytes())
    assert HaarDetector().name == str(tmp_path / own.name)
