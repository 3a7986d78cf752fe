"""The decoded images of a split of scenes, in one file that all processes share.

Thousands of random crops are taken from each image, and decoding a JPEG file takes longer than a crop.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from edge.errors import DataError
from edge.types import Gray
from train.data.mapped_array import MappedArray
from train.data.scenes import Scene, SceneFaces
from train.progress import tracked


@dataclass(frozen=True)
class SceneImages:
    """Decoded images with the faces in them.

    Attributes:
        pixels: (P,) uint8, the pixels of all images, one after the other.
        shapes: (N, 2) int64, height and width of each image.
        faces: the faces of each image.
        face_free: indices of the images without any face.
        fingerprint: hash of the images and their annotations.
    """

    pixels: MappedArray
    shapes: npt.NDArray[np.int64]
    faces: tuple[SceneFaces, ...]
    face_free: tuple[int, ...]
    fingerprint: str

    def __len__(self) -> int:
        return len(self.shapes)

    def image(self, index: int) -> Gray:
        """Returns an image: (H, W) uint8, read-only."""
        start, (height, width) = self._starts[index], self.shapes[index]
        pixels: Gray = self.pixels.array[start : start + height * width]
        return pixels.reshape(height, width)

    @cached_property
    def clear_faces(self) -> npt.NDArray[np.int64]:
        """(M, 2), index of the image and index of the face in it, for each face that is not to be ignored."""
        pairs = [
            (image, face) for image, each in enumerate(self.faces) for face in np.flatnonzero(~each.ignore)
        ]
        return np.array(pairs, np.int64).reshape(-1, 2)

    @cached_property
    def with_faces(self) -> tuple[int, ...]:
        """Indices of the images that have faces."""
        return tuple(sorted(set(range(len(self))) - set(self.face_free)))

    @cached_property
    def _starts(self) -> npt.NDArray[np.int64]:
        return np.concatenate([np.zeros(1, np.int64), np.cumsum(self.shapes.prod(axis=1))])


def decode_scenes(scenes: Sequence[Scene], cache: Path) -> SceneImages:
    """Decodes scenes into a file, or opens the file of an earlier call.

    Args:
        scenes: scenes, some with clear faces and some without any.
        cache: folder of the file.

    Raises:
        DataError: no scene has a clear face, or none is free of faces.
        OutputError: the file cannot be written.
    """
    free = tuple(index for index, scene in enumerate(scenes) if scene.kind == "none")
    if not free or not any((~scene.faces.ignore).any() for scene in scenes):
        raise DataError(f"{len(scenes)} scenes: expected some with clear faces and some without any face")
    fingerprint = _fingerprint(scenes)
    file = cache / f"scenes-{fingerprint}.npy"
    shapes_file = cache / f"scenes-{fingerprint}-shapes.npy"
    if not (file.exists() and shapes_file.exists()):
        images = [scene.image() for scene in tracked(scenes, "decoding", "scenes")]
        MappedArray.store(file, np.concatenate([image.ravel() for image in images]))
        MappedArray.store(shapes_file, np.array([image.shape for image in images], np.int64))
    shapes = np.array(MappedArray(shapes_file).array)
    faces = tuple(scene.faces for scene in scenes)
    return SceneImages(MappedArray(file), shapes, faces, free, fingerprint)


def _fingerprint(scenes: Sequence[Scene]) -> str:
    """Returns a hash of what decides the crops, and of OpenCV's version, whose decoder may change."""
    digest = hashlib.sha256(cv2.__version__.encode())
    for scene in scenes:
        faces = scene.faces
        digest.update(f"{scene.kind} {len(faces.boxes)} {len(scene.encoded)}".encode() + scene.encoded)
        for values in (faces.boxes, faces.roll, faces.yaw, faces.ignore):
            digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()[:16]
