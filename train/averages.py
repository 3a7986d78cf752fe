"""The demo's faces: what all faces of one label have in common. They are computed; nobody's photograph."""

from __future__ import annotations

import cv2
import numpy as np

from edge.types import Gray
from train.data import Dataset


def average_faces(data: Dataset) -> dict[str, Gray]:
    """The mean of each label's training pictures, its contrast stretched to the full range.

    Thousands of pictures go into one, so no person can be made out in it.

    Args:
        data: with a "train" split, (N, H, W) uint8.

    Returns:
        {label: (H, W) uint8}.
    """
    training = data.part("train")
    faces = {}
    for label, name in enumerate(training.label_names):
        mean = training.images[training.labels == label].mean(axis=0)
        stretched = cv2.normalize(mean, np.empty_like(mean), 0, 255, cv2.NORM_MINMAX)
        faces[name] = np.asarray(np.rint(stretched), dtype=np.uint8)
    return faces
