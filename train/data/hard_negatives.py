"""What the Haar cascade takes for faces in images without any: counter-examples for training."""

from __future__ import annotations

import logging
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from edge.detection.haar import find_cascade
from edge.types import Gray
from train.data.mapped_array import MappedArray
from train.data.scene_images import SceneImages
from train.progress import tracked

logger = logging.getLogger(__name__)

# A plain search that keeps every single hit: a box that many hits confirm is rare in such images.
_FACTOR, _SMALLEST_PX = 1.12, 24


def find_hard_negatives(images: SceneImages, cache: Path) -> npt.NDArray[np.int32]:
    """Returns the boxes that the cascade draws in images without any face.

    Args:
        images: the images; those with faces are not searched.
        cache: folder in which the boxes are kept: the search takes minutes.

    Returns:
        (M, 5) int32: index of the image, x, y, width and height in its pixels.

    Raises:
        OutputError: the file cannot be written.
    """
    file = cache / f"hard-negatives-{images.fingerprint}-{_FACTOR:g}-{_SMALLEST_PX}.npy"
    if not file.exists():
        cascade = cv2.CascadeClassifier(str(find_cascade()))
        boxes = [
            (index, *box)
            for index in tracked(images.face_free, "looking for false alarms", "images")
            for box in _search(cascade, images.image(index))
        ]
        MappedArray.store(file, np.array(boxes, np.int32).reshape(-1, 5))
    return np.array(MappedArray(file).array)


def _search(cascade: cv2.CascadeClassifier, image: Gray) -> list[tuple[int, ...]]:
    smallest = (_SMALLEST_PX, _SMALLEST_PX)
    hits = cascade.detectMultiScale(image, scaleFactor=_FACTOR, minNeighbors=0, minSize=smallest)
    return sorted(tuple(map(int, hit)) for hit in hits)  # OpenCV's order depends on its threads
