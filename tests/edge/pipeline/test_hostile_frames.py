"""Frames that nobody would send on purpose: the loop goes on, and its work stays bounded."""

from itertools import pairwise

import cv2
import numpy as np
import pytest

from edge.bench.clip import demo_faces
from edge.bench.loops import EmotinyLoop
from edge.detection.settings import DetectorSettings
from edge.inference.settings import ModelSettings
from edge.settings.settings import Settings
from edge.types import Frame

RANDOM = np.random.default_rng(0)


@pytest.fixture
def loop(models):
    return EmotinyLoop(
        Settings(
            models=ModelSettings(emotion=models / "tiny_emotion.json", gender=models / "tiny_gender.json"),
            detector=DetectorSettings(threads=1),
        )
    )


def steps(loop, pictures):
    """What is seen in pictures that come 15 times a second."""
    return [loop.step(Frame(number, number / 15, gray)) for number, gray in enumerate(pictures)]


def nothing_but_faces():
    """A wall of 8 x 6 faces."""
    row = np.hstack([cv2.resize(face, (80, 80)) for face in demo_faces()[:8]])
    return np.vstack([row] * 6)


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((480, 640), np.uint8),
        np.full((480, 640), 255, np.uint8),
        RANDOM.integers(0, 256, (480, 640), dtype=np.uint8),
        RANDOM.integers(0, 256, (1, 640), dtype=np.uint8),
        RANDOM.integers(0, 256, (480, 1), dtype=np.uint8),
        RANDOM.integers(0, 256, (1, 1), dtype=np.uint8),
        np.tile(RANDOM.integers(0, 256, (600, 800), dtype=np.uint8), (10, 10)),
    ],
    ids=["black", "white", "noise", "one row", "one column", "one pixel", "8000x6000"],
)
def test_pictures_without_a_face(loop, picture):
    assert all(seen == [] for seen in steps(loop, [picture] * 5))


def test_a_size_that_changes_while_a_face_is_followed(loop, happy):
    small = cv2.resize(happy, (320, 240))
    line = happy[200:201]
    pictures = [happy] * 9 + [small] * 9 + [line] * 2 + [happy.T.copy()] * 3 + [happy] * 9
    seen = steps(loop, pictures)
    assert [len(each) for each in (seen[8], seen[17], seen[19], seen[-1])] == [1, 1, 0, 1]
    height, width = small.shape
    assert all(face.box.x + face.box.width <= width for face in seen[17])
    assert all(face.box.y + face.box.height <= height for face in seen[17])


def test_nothing_but_faces_is_worked_through_by_and_by(loop):
    """However many there are, two are read in a frame; they take turns."""
    wall = nothing_but_faces()
    counts = [len(seen) for seen in steps(loop, [wall] * 45)]
    assert counts[-1] >= 16
    assert all(after <= before + 2 for before, after in pairwise(counts))
