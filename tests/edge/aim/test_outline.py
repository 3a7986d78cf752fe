"""What is left of a frame: lines of large things, and nothing of a face."""

import cv2
import numpy as np
import pytest

from edge.aim.outline import outline
from edge.detection.detector import FaceDetector
from edge.types import Box
from tests.support.room import room


@pytest.fixture(scope="module")
def faces():
    """Finds all faces in a picture, as the device does."""
    return FaceDetector.shipped().detect_all


def test_lines_are_where_something_large_ends():
    gray = np.full((480, 640), 60, np.uint8)
    gray[:, 320:] = 180
    lines = outline(gray, [])
    assert lines.shape == (480, 640)
    columns = np.unique(np.nonzero(lines)[1])
    assert columns.min() >= 312
    assert columns.max() <= 328
    assert lines.any(axis=1).mean() > 0.9


@pytest.mark.parametrize("size_hw", [(480, 640), (1080, 1920), (240, 320), (640, 360), (16, 16), (16, 8192)])
def test_lines_have_the_proportions_of_the_frame(size_hw):
    lines = outline(np.zeros(size_hw, np.uint8), [Box(0, 0, 8, 8)])
    scale = 640 / max(size_hw)
    assert lines.shape == tuple(max(1, round(side * scale)) for side in size_hw)
    assert not lines.any()


@pytest.mark.parametrize(("side", "is_drawn"), [(24, False), (160, True)])
def test_what_is_small_is_left_out(side, is_drawn):
    """Dark squares, as eyes are; a whole face is as large as the second one."""
    gray = np.full((480, 640), 150, np.uint8)
    for left in (100, 360):
        gray[160 : 160 + side, left : left + side] = 60
    assert cv2.Canny(gray, 20, 50).any()
    assert outline(gray, []).any() == is_drawn


def test_lines_are_straightened():
    """The waves of a wavy edge are lost."""
    rows = np.arange(480)
    edges = 320 + 3 * np.sin(rows / 6)
    gray = np.where(np.arange(640)[None, :] < edges[:, None], 60, 180).astype(np.uint8)
    columns = np.nonzero(outline(gray, []))[1]
    assert columns.std() < 1.5


def test_noise_draws_no_lines():
    noise = np.random.default_rng(0).normal(20, 4, (480, 640)).clip(0, 255).astype(np.uint8)
    assert not outline(noise, []).any()


def test_nothing_is_drawn_inside_of_a_face_or_close_to_it():
    gray = room(30)
    box = Box(300, 240, 120, 120)
    scale = 640 / 960
    around = slice(round((240 - 30) * scale), round((360 + 30) * scale)), slice(182, 298)
    assert outline(gray, [])[around].any()
    covered = outline(gray, [box])
    assert not covered[around].any()
    assert covered.any()


@pytest.mark.parametrize("box", [Box(-50, -50, 60, 60), Box(950, 710, 40, 40), Box(0, 0, 960, 720)])
def test_faces_at_the_edge_of_the_frame(box):
    assert outline(room(0), [box]).shape == (480, 640)


@pytest.mark.parametrize("index", [0, 60])
def test_a_face_that_is_found_in_the_picture_is_not_found_in_its_lines(faces, index):
    """Not even where the loop has missed it, so that nothing is covered."""
    gray = room(index)
    assert len(faces(gray)) == 2
    assert faces(outline(gray, [])) == []
    assert faces(255 - outline(gray, [])) == []
    assert faces(cv2.GaussianBlur(outline(gray, []), (0, 0), 3)) == []
