"""Crops the face out of images of whole scenes, as loosely as the other datasets are cropped."""

from __future__ import annotations

from dataclasses import dataclass

from edge.detection.haar import HaarDetector, HaarSettings
from edge.inference.preprocess import Framing, crop_square
from edge.types import Box, Gray

# As for UTKFace; the networks' inputs are far smaller.
SIDE = 96
# Loose enough for shifts, rotations and any recipe's framing; the box itself is 60 pixels wide.
FRAMING = Framing(1.6, 0.0)
# These are studio photographs: what looks like a smaller face is a fold of clothes.
_SETTINGS = HaarSettings(min_face=0.2)


@dataclass(frozen=True)
class FaceCrop:
    """A face cropped from a scene.

    Attributes:
        image: (96, 96) uint8.
        box: the cascade's box in pixels of `image`.
    """

    image: Gray
    box: Box


class SceneCropper:
    """Crops a square of 1.6 times the box's side around the face that the device's detector finds."""

    def __init__(self) -> None:
        self._detector = HaarDetector(_SETTINGS)

    def crop(self, gray: Gray) -> FaceCrop | None:
        """Crops the largest face of an (H, W) uint8 image; returns None where no face is found."""
        boxes = [detection.box for detection in self._detector.detect(gray)]
        if not boxes:
            return None
        box = max(boxes, key=lambda box: box.width * box.height)
        ratio = SIDE / (max(box.width, box.height) * FRAMING.margin)
        width, height = round(box.width * ratio), round(box.height * ratio)
        # The box lies in the middle of the square.
        centred = Box((SIDE - width) // 2, (SIDE - height) // 2, width, height)
        return FaceCrop(crop_square(gray, box, SIDE, FRAMING), centred)
