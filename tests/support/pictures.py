"""Reads the pictures that are written by what is tested."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt


def read_picture(path: str | Path, flags: int = cv2.IMREAD_COLOR) -> npt.NDArray[np.uint8]:
    """Returns (H, W, 3) pixels, or (H, W) with IMREAD_GRAYSCALE; a file that is no picture fails the test."""
    picture = cv2.imread(str(path), flags)
    assert picture is not None, path
    return np.asarray(picture, np.uint8)
