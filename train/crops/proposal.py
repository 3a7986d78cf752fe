"""Random crops of scenes for the proposal network, with faces of the sides that it should find."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge.detection.outputs import SIDES_PX, STRIDE_PX
from edge.types import Gray
from train.crops.photometric import AS_IT_IS, Change, Photometry, random_contrast
from train.crops.proposal_targets import Floats, encode_faces
from train.crops.sources import CropSources
from train.crops.warp import Matrix, apply, random_part, similarity, warp

_SMALLEST, _LARGEST = SIDES_PX
# Annotated roll is two thirds of the true one (the annotating network sees tilted heads less tilted).
ROLL_FACTOR = 1.5
# Share of the crops that are taken around a face; the others show a scene without faces.
_WITH_FACE = 0.72
# Faces are not enlarged more than this: they would be blurred more than small faces are.
_LARGEST_SCALE = 1.6


@dataclass(frozen=True)
class ProposalCrop:
    """A crop and the faces in it.

    Attributes:
        image: (size, size) uint8.
        faces: (F, 4) float32: x and y of the centre and the side in pixels of the crop, and the roll in
            degrees clockwise, of the faces that the network should find.
        ignored: (G, 3) float32: x, y and radius of circles in which it may return anything.
    """

    image: Gray
    faces: Floats
    ignored: Floats


class ProposalSampler:
    """Draws crops: a pure function of the sources and the generator."""

    def __init__(self, sources: CropSources, photometry: Photometry, size: int) -> None:
        """Takes the sources, the changes for training, and the side of the crops in pixels."""
        self._images, self._photometry, self._size = sources.images, photometry, size

    def draw(self, random: np.random.Generator) -> tuple[Gray, Floats]:
        """Returns a crop for training, and its target (see `encode_faces`)."""
        crop = self.crop(random, self._photometry)
        return crop.image, encode_faces(crop.faces, crop.ignored, self._size // STRIDE_PX)

    def crop(self, random: np.random.Generator, change: Change = AS_IT_IS) -> ProposalCrop:
        """Returns a crop whose light is changed by `change`."""
        size, images = self._size, self._images
        angle = _angle(random)
        if random.random() < _WITH_FACE:
            index, face = images.clear_faces[random.integers(len(images.clear_faces))]
            x, y, width, height = images.faces[index].boxes[face]
            side = np.exp(random.uniform(np.log(_SMALLEST), np.log(_LARGEST)))
            scale = min(side / width, _LARGEST_SCALE)
            centre = float(x + width / 2 - 0.5), float(y + height / 2 - 0.5)
            target_x, target_y = random.uniform(0.08 * size, 0.92 * size, 2)
        else:
            index = images.face_free[random.integers(len(images.face_free))]
            centre, scale = self._anywhere(images.image(index), random)
            target_x = target_y = (size - 1) / 2
        matrix = similarity(centre, (target_x, target_y), scale, angle)
        background = images.image(images.face_free[random.integers(len(images.face_free))])
        pixels = warp(images.image(index), matrix, size, random_part(background, size, random))
        faces, ignored = self._faces(int(index), matrix, scale, angle)
        if random.random() < 0.5:
            pixels = np.ascontiguousarray(pixels[:, ::-1])
            faces = (faces * (-1, 1, 1, -1) + (size - 1, 0, 0, 0)).astype(np.float32)
            ignored = (ignored * (-1, 1, 1) + (size - 1, 0, 0)).astype(np.float32)
        return ProposalCrop(random_contrast(change(pixels, random), random), faces, ignored)

    def _anywhere(self, image: Gray, random: np.random.Generator) -> tuple[tuple[float, float], float]:
        """Returns a point and a scale with which the crop lies within the image, if that is large enough."""
        extents = np.array(image.shape[::-1], float)  # width, height
        scale = float(np.exp(random.uniform(np.log(0.9 * self._size / extents.max()), np.log(1.3))))
        half = np.minimum(self._size / 2 / scale, extents / 2)
        x, y = random.uniform(half, extents - half)
        return (float(x), float(y)), scale

    def _faces(self, index: int, matrix: Matrix, scale: float, angle: float) -> tuple[Floats, Floats]:
        """Returns faces to find and circles to ignore."""
        annotated, size = self._images.faces[index], self._size
        boxes = annotated.boxes
        centres = apply(matrix, boxes[:, :2] + boxes[:, 2:] / 2 - 0.5)
        sides = boxes[:, 2] * scale
        rolls = ROLL_FACTOR * annotated.roll - angle
        faces, ignored = [], []
        for (x, y), side, roll, doubtful in zip(centres, sides, rolls, annotated.ignore, strict=True):
            if not (-side < x < size + side and -side < y < size + side):
                continue
            fits = _SMALLEST * 0.999 <= side <= _LARGEST * 1.001
            nearly = _SMALLEST / 1.5 < side < _LARGEST * 1.4
            within = -0.5 <= x < size - 0.5 and -0.5 <= y < size - 0.5
            if fits and within and not doubtful:
                faces.append((x, y, side, roll))
            elif doubtful or nearly:
                ignored.append((x, y, 0.6 * side + 6))
            elif side <= _SMALLEST / 1.5:
                ignored.append((x, y, side + 4))
            # Larger faces are found in a smaller copy of the picture: here they are no faces.
        return (
            np.array(faces, np.float32).reshape(-1, 4),
            np.array(ignored, np.float32).reshape(-1, 3),
        )


def _angle(random: np.random.Generator) -> float:
    """Draws an angle in degrees: heads are mostly upright, and tilted by up to 40."""
    if random.random() < 0.5:
        return float(np.clip(random.normal(0, 9), -25, 25))
    return float(random.uniform(-40, 40))
