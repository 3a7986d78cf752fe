"""Pictures of whole scenes made into what the other sets hold: loose squares around a face."""

from __future__ import annotations

from dataclasses import dataclass

from edge.detection.haar import DetectorSettings, HaarDetector
from edge.inference.preprocess import Framing, crop_square
from edge.types import Box, Gray

# As for UTKFace: the networks read far less than this.
SIDE = 96
# Loose enough for shifts, turns and any recipe's framing, at 60 pixels for the box itself.
FRAMING = Framing(1.6, 0.0)
# The sets were taken in a studio: a smaller face is a fold of clothes.
_SETTINGS = DetectorSettings(min_face=0.2)


@dataclass(frozen=True)
class FaceCrop:
    """A face cut out of a scene.

    Attributes:
        image: (96, 96) uint8.
        box: the cascade's box in the square's pixels.
    """

    image: Gray
    box: Box


class SceneCropper:
    """Finds the face in a scene with the device's own detector and cuts a square of 1.6 boxes around it."""

    def __init__(self) -> None:
        self._detector = HaarDetector(_SETTINGS)

    def crop(self, gray: Gray) -> FaceCrop | None:
        """The largest face of a picture of (H, W) uint8, or None where none is found."""
        found = [detection.box for detection in self._detector.detect(gray)]
        if not found:
            return None
        box = max(found, key=lambda box: box.width * box.height)
        ratio = SIDE / (max(box.width, box.height) * FRAMING.margin)
        width, height = round(box.width * ratio), round(box.height * ratio)
        # The square's centre is the box's.
        centred = Box((SIDE - width) // 2, (SIDE - height) // 2, width, height)
        return FaceCrop(crop_square(gray, box, SIDE, FRAMING), centred)
