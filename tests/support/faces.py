"""Pictures with one of the project's computed faces, which the cascade finds."""

from pathlib import Path

import cv2
import numpy as np

from edge.types import Box, Gray

FACES = Path(__file__).parents[2] / "edge" / "sources" / "demo_faces"
FACE_BOX = Box(200, 120, 240, 240)


def picture_of(emotion: str) -> Gray:
    """A 640x480 picture with one of the project's computed faces in FACE_BOX."""
    face = cv2.imread(str(FACES / f"{emotion}-female.png"), cv2.IMREAD_GRAYSCALE)
    picture = np.full((480, 640), 128, np.uint8)
    size_wh = (FACE_BOX.width, FACE_BOX.height)
    picture[FACE_BOX.y :, FACE_BOX.x :][: size_wh[1], : size_wh[0]] = cv2.resize(face, size_wh)
    picture.flags.writeable = False
    return picture
