"""Fixtures of tests of the whole program."""

import cv2
import numpy as np
import pytest

CLIP_FRAMES = 20


@pytest.fixture(scope="module")
def options(models):
    return [
        *("--emotion-model", str(models / "tiny_emotion.json")),
        *("--gender-model", str(models / "tiny_gender.tflite")),
    ]


@pytest.fixture(scope="module")
def clip(tmp_path_factory, happy):
    """Twenty frames, a face in all but the first two."""
    path = tmp_path_factory.mktemp("clip") / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (640, 480))
    for number in range(CLIP_FRAMES):
        writer.write(cv2.cvtColor(happy if number > 1 else np.full_like(happy, 128), cv2.COLOR_GRAY2BGR))
    writer.release()
    return path
