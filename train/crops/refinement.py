"""Random crops for the refinement network: boxes as detectors draw them, on faces and beside them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from edge.detection.outputs import (
    CROP_MARGIN,
    REFINEMENT_SHIFT_SCALE,
    REFINEMENT_SIZE_SCALE,
    ROLL_SCALE,
    YAW_SCALE,
)
from edge.inference.preprocess import normalize_contrast
from edge.types import Gray
from train.crops.false_alarms import FalseAlarms
from train.crops.photometric import AS_IT_IS, Change, Photometry, lower_resolution, occlude
from train.crops.proposal import ROLL_FACTOR
from train.crops.sources import CropSources
from train.crops.warp import similarity, warp

# Columns of a target: whether the crop shows a face, the six numbers that the network should return then, in
# its own units, and whether the yaw is known.
FACE, DX, DY, SIZE, ROLL_SIN, ROLL_COS, YAW, YAW_KNOWN = range(8)

_FROM_SCENES = 0.75  # share of the faces that are from scenes; the others are portraits
_LARGEST_ROLL_DEG = 75.0
_TRIES = 20
# Crops without a face: up to these shares are what the cascade took for a face, what a proposal network did,
# anything in images without faces, and something beside a face; the rest is anything in images with faces.
_OF_CASCADE, _OF_MINED, _OF_ANYTHING, _OF_BESIDE = 0.22, 0.58, 0.72, 0.93
# A box that overlaps with a face more than this (IoU) is neither a face nor none.
_LARGEST_OVERLAP = 0.22

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class _Place:
    """A square in a scene: index of the scene, centre and side in its pixels."""

    index: int
    x: float
    y: float
    side: float


@dataclass(frozen=True)
class RefinementCrop:
    """A crop and what is in it.

    Attributes:
        image: (size, size) uint8.
        target: (8,) float32, see the columns of this module; all 0 for a crop that shows no face.
        side: side of the face in its source in pixels, a measure of its sharpness; 0 without a face.
        roll: degrees clockwise; 0 without a face.
    """

    image: Gray
    target: Floats
    side: float = 0.0
    roll: float = 0.0


class RefinementSampler:
    """Draws crops: a pure function of the sources and the generator."""

    def __init__(self, sources: CropSources, photometry: Photometry, size: int) -> None:
        """Takes the sources, the changes for training, and the side of the crops in pixels."""
        self._images = sources.images
        self._alarms, self._mined = FalseAlarms(sources.hard_negatives), FalseAlarms(sources.mined)
        self._portraits = sources.portraits
        self._photometry, self._size = photometry, size

    def draw(self, random: np.random.Generator) -> tuple[Gray, Floats]:
        """Returns a crop for training, and its target; half of the crops show a face."""

        def change(image: Gray, random: np.random.Generator) -> Gray:
            return self._photometry(occlude(lower_resolution(image, random), random), random)

        crop = self.face(random, change) if random.random() < 0.5 else self.no_face(random, change)
        return crop.image, crop.target

    def face(self, random: np.random.Generator, change: Change = AS_IT_IS) -> RefinementCrop:
        """Returns a crop of a face, shifted and scaled as a detector's box is, and changed by `change`."""
        angle = _angle(random)
        # The face's centre in the crop, in sides of the face, and the natural logarithm of box / face.
        spread = 0.5 if random.random() < 0.4 else 1.0
        dx, dy = random.uniform(-0.3, 0.3, 2) * spread
        log_side = random.uniform(-0.33, 0.33) * spread
        mirrored = bool(random.random() < 0.5)
        if not self._portraits or random.random() < _FROM_SCENES:
            index, face = self._images.clear_faces[random.integers(len(self._images.clear_faces))]
            faces = self._images.faces[index]
            x, y, side, height = map(float, faces.boxes[face])
            centre = np.array([x + side / 2 - 0.5, y + height / 2 - 0.5])
            roll, yaw, yaw_known = ROLL_FACTOR * float(faces.roll[face]), abs(float(faces.yaw[face])), 1
            image = self._images.image(int(index))
        else:
            portraits = self._portraits[random.integers(len(self._portraits))]
            image = portraits.image(int(random.integers(len(portraits))))
            centre, side = np.array(portraits.centre_xy), portraits.side
            roll, yaw, yaw_known = 0.0, 0.0, 0
        box_side = side * np.exp(log_side)
        turn = similarity((0, 0), (0, 0), 1, -angle)[:, :2]
        box_x, box_y = centre - turn @ (np.array([dx, dy]) * box_side)
        pixels = self._render(image, float(box_x), float(box_y), float(box_side), angle)
        total = roll - angle
        if mirrored:
            dx, total, pixels = -dx, -total, np.ascontiguousarray(pixels[:, ::-1])
        total = float(np.clip(total, -_LARGEST_ROLL_DEG, _LARGEST_ROLL_DEG))
        target = np.array(
            [
                *(1, REFINEMENT_SHIFT_SCALE * dx, REFINEMENT_SHIFT_SCALE * dy),
                -REFINEMENT_SIZE_SCALE * log_side,
                *(ROLL_SCALE * np.sin(np.deg2rad(total)), ROLL_SCALE * np.cos(np.deg2rad(total))),
                *(YAW_SCALE * min(yaw, 1), yaw_known),
            ],
            np.float32,
        )
        return RefinementCrop(normalize_contrast(change(pixels, random)), target, side, total)

    def no_face(self, random: np.random.Generator, change: Change = AS_IT_IS) -> RefinementCrop:
        """Returns a crop that shows no face, a part of one, or one much smaller or larger than the box."""
        place = self._no_face(random)
        angle = 0.0 if random.random() < 0.5 else float(random.uniform(-50, 50))
        pixels = self._render(self._images.image(place.index), place.x, place.y, place.side, angle)
        if random.random() < 0.15:  # repeated edges, as at the border of a picture, mean nothing
            top, bottom, left, right = (int(extent) for extent in random.integers(0, 5, 4))
            inner = pixels[top : self._size - bottom, left : self._size - right]
            bordered = cv2.copyMakeBorder(inner, top, bottom, left, right, cv2.BORDER_REPLICATE)
            pixels = np.asarray(bordered, np.uint8)
        if random.random() < 0.5:
            pixels = np.ascontiguousarray(pixels[:, ::-1])
        return RefinementCrop(normalize_contrast(change(pixels, random)), np.zeros(8, np.float32))

    def _no_face(self, random: np.random.Generator) -> _Place:
        kind = random.random()
        for _ in range(_TRIES):
            if kind < _OF_CASCADE and len(self._alarms):
                place = _near(self._alarms.draw(random), random)
            elif kind < _OF_MINED and len(self._mined):
                place = _near(self._mined.draw(random), random)
            elif kind < _OF_ANYTHING:
                break
            elif kind < _OF_BESIDE:
                place = self._beside_a_face(random)
            else:
                index = self._images.with_faces[random.integers(len(self._images.with_faces))]
                place = self._anywhere(index, 0.5, random)
            if not self._shows_a_face(place):
                return place
        index = self._images.face_free[random.integers(len(self._images.face_free))]
        return self._anywhere(index, 0.7, random)

    def _anywhere(self, index: int, largest: float, random: np.random.Generator) -> _Place:
        height, width = self._images.image(index).shape
        side = float(np.exp(random.uniform(np.log(14), np.log(max(15.0, largest * min(height, width))))))
        return _Place(index, random.uniform(0, width), random.uniform(0, height), side)

    def _beside_a_face(self, random: np.random.Generator) -> _Place:
        """Returns a box next to a face, of a part of it, or much larger than it."""
        index, face = self._images.clear_faces[random.integers(len(self._images.clear_faces))]
        x, y, width, height = map(float, self._images.faces[index].boxes[face])
        kind = random.random()
        if kind < 0.35:
            direction, distance = random.uniform(0, 2 * np.pi), random.uniform(0.75, 1.3)
            dx, dy = distance * np.cos(direction), distance * np.sin(direction)
            factor = float(np.exp(random.uniform(-0.4, 0.4)))
        elif kind < 0.8:
            factor = random.uniform(0.25, 0.5)
            dx, dy = random.uniform(-0.4, 0.4, 2)
        else:
            factor = random.uniform(2.1, 3.2)
            dx, dy = random.uniform(-0.5, 0.5, 2) * factor * 0.8
        centre_x, centre_y = x + width / 2 - 0.5 + dx * width, y + height / 2 - 0.5 + dy * width
        return _Place(int(index), centre_x, centre_y, width * factor)

    def _shows_a_face(self, place: _Place) -> bool:
        """Returns whether a box overlaps much with a clear face, or at all with an ignored one."""
        faces = self._images.faces[place.index]
        boxes = faces.boxes
        if not len(boxes):
            return False
        low = np.array([place.x, place.y]) + 0.5 - place.side / 2
        inner = np.minimum(boxes[:, :2] + boxes[:, 2:], low + place.side) - np.maximum(boxes[:, :2], low)
        overlap = np.clip(inner, 0, None).prod(axis=1)
        iou = overlap / (boxes[:, 2:].prod(axis=1) + place.side**2 - overlap)
        return bool((overlap[faces.ignore] > 0).any() or (iou[~faces.ignore] > _LARGEST_OVERLAP).any())

    def _render(self, image: Gray, x: float, y: float, side: float, angle: float) -> Gray:
        middle = (self._size - 1) / 2
        scale = self._size / CROP_MARGIN / side
        return warp(image, similarity((x, y), (middle, middle), scale, angle), self._size)


def _near(box: tuple[int, ...], random: np.random.Generator) -> _Place:
    """Returns a place near a box, as another detector might draw it."""
    index, x, y, width, height = box
    shift_x, shift_y = random.uniform(-0.15, 0.15, 2) * width
    side = width * float(np.exp(random.uniform(-0.2, 0.2)))
    return _Place(index, x + width / 2 - 0.5 + shift_x, y + height / 2 - 0.5 + shift_y, side)


def _angle(random: np.random.Generator) -> float:
    """Draws an angle in degrees: heads are mostly upright, and tilted by up to 50."""
    if random.random() < 0.55:
        return float(np.clip(random.normal(0, 8), -25, 25))
    return float(random.uniform(-50, 50))
