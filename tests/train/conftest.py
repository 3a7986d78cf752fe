"""A whole scene with a face that the cascade finds: one of the project's computed faces."""

from pathlib import Path

import cv2
import numpy as np
import pytest

_FACES = Path(__file__).parents[2] / "edge" / "sources" / "demo_faces"


@pytest.fixture(scope="session")
def scene():
    """Makes a gray picture of 640x490 with the face of an emotion at (200, 120), 240 pixels wide."""

    def make(emotion):
        face = cv2.imread(str(_FACES / f"{emotion}-female.png"), cv2.IMREAD_GRAYSCALE)
        picture = np.full((490, 640), 128, np.uint8)
        picture[120:360, 200:440] = cv2.resize(face, (240, 240))
        return picture

    return make
