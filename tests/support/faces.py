"""Pictures with the project's computed faces, which every detector here finds."""

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from edge.types import Box, Gray

FACES = Path(__file__).parents[2] / "edge" / "sources" / "demo_faces"
FACE_BOX = Box(200, 120, 240, 240)


def picture_of(emotion: str) -> Gray:
    """A 640x480 picture with one of the project's computed faces in FACE_BOX."""
    picture = np.full((480, 640), 128, np.uint8)
    size_wh = (FACE_BOX.width, FACE_BOX.height)
    picture[FACE_BOX.y :, FACE_BOX.x :][: size_wh[1], : size_wh[0]] = cv2.resize(_face(emotion), size_wh)
    picture.flags.writeable = False
    return picture


def scene(
    *faces: tuple[str, int, int, int], seed: int = 0, size_wh: tuple[int, int] = (640, 480), noise: float = 3
) -> Gray:
    """A gray wall with faces and a camera's noise.

    Args:
        *faces: Emotion, left, top and side of each face; may reach beyond the picture.
        seed: Seed of the noise.
        size_wh: Width and height of the picture.
        noise: Standard deviation of the noise in gray levels.

    Returns:
        (height, width) uint8.
    """
    width, height = size_wh
    picture = np.full((height, width), 128, np.uint8)
    for emotion, x, y, side in faces:
        method = cv2.INTER_AREA if side < 48 else cv2.INTER_LINEAR
        face = cv2.resize(_face(emotion), (side, side), interpolation=method)
        left, top, right, bottom = max(0, x), max(0, y), min(width, x + side), min(height, y + side)
        if left < right and top < bottom:
            picture[top:bottom, left:right] = face[top - y : bottom - y, left - x : right - x]
    noisy = picture + np.random.default_rng(seed).normal(0, noise, picture.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)


def turned(picture: Gray, centre_xy: tuple[float, float], clockwise_deg: float) -> Gray:
    """A picture turned about a point; its edge pixels are repeated."""
    turn = cv2.getRotationMatrix2D(centre_xy, -clockwise_deg, 1.0)  # OpenCV's positive is counter-clockwise
    size_wh = picture.shape[1], picture.shape[0]
    return np.asarray(cv2.warpAffine(picture, turn, size_wh, borderMode=cv2.BORDER_REPLICATE), np.uint8)


@lru_cache
def _face(emotion: str) -> Gray:
    return np.asarray(cv2.imread(str(FACES / f"{emotion}-female.png"), cv2.IMREAD_GRAYSCALE), np.uint8)
