import cv2
import numpy as np
import pytest

from edge.tracking.template import FaceTemplate
from edge.types import Box

NOISE = np.random.default_rng(0)


@pytest.mark.parametrize(("x", "y"), [(0, 0), (30, 0), (-60, 45), (100, -100)])
def test_a_face_that_moved_is_found_where_it_went(happy, face_box, x, y):
    patch = FaceTemplate(happy, face_box)
    moved = np.roll(happy, (y, x), (0, 1))
    box, score = patch.match(moved, face_box)
    assert box.iou(Box(face_box.x + x, face_box.y + y, face_box.width, face_box.height)) > 0.9
    assert score > 0.95


def test_noise_and_other_light_do_not_matter(happy, face_box):
    patch = FaceTemplate(happy, face_box)
    dim = np.clip(happy * 0.5 + 20 + NOISE.normal(0, 8, happy.shape), 0, 255).astype(np.uint8)
    box, score = patch.match(dim, face_box)
    assert box.iou(face_box) > 0.9
    assert score > 0.9


@pytest.mark.parametrize("level", [0, 128, 255])
def test_an_empty_picture_is_not_alike(happy, face_box, level):
    _, score = FaceTemplate(happy, face_box).match(np.full_like(happy, level), face_box)
    assert score == 0


def test_something_else_is_not_alike(happy, face_box):
    other = NOISE.integers(0, 256, happy.shape, dtype=np.uint8)
    assert FaceTemplate(happy, face_box).match(cv2.GaussianBlur(other, (0, 0), 20), face_box)[1] < 0.7


@pytest.mark.parametrize(
    "box", [Box(-100, -100, 240, 240), Box(560, 400, 240, 240), Box(900, 900, 50, 50), Box(0, 0, 1, 1)]
)
def test_a_box_may_reach_beyond_the_picture(happy, box):
    found, score = FaceTemplate(happy, box).match(happy, box)
    assert -1 <= score <= 1.001
    assert (found.width, found.height) == (box.width, box.height)
