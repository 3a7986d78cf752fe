"""Where the cascade's box lies in a dataset's pictures: the crop's margin and the jitter come from it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from edge.detection.haar import DetectorSettings, HaarDetector
from edge.errors import DataError
from edge.files import atomic_write
from edge.types import Box, Gray
from train.data import Dataset

# The cascade misses faces that fill the picture unless there is something around them.
_BORDER = 0.3
_EACH = 100


@dataclass(frozen=True)
class FramingMeasure:
    """The cascade's boxes relative to the frame, in shares of its side: 10 %, 50 % and 90 % quantiles.

    Attributes:
        found: share of the pictures in which the cascade finds a face.
        count: pictures looked at.
        width: the box's width.
        offset_x: of its centre from the frame's, to the right.
        offset_y: downwards.
    """

    found: float
    count: int
    width: tuple[float, float, float]
    offset_x: tuple[float, float, float]
    offset_y: tuple[float, float, float]

    @property
    def margin(self) -> float:
        """Side of the frame over width of the box, in the median: the crop that shows what the set shows."""
        return 1 / self.width[1]


def enlarge(images: Gray) -> Gray:
    """Pictures of (N, S, S) at least 96 pixels wide: below that the cascade's window has few sizes to try."""
    side = images.shape[1]
    if side >= 96:
        return images
    return np.stack([np.asarray(cv2.resize(image, (96, 96)), dtype=np.uint8) for image in images])


def detect_boxes(images: Gray, *, quiet: bool = False) -> list[Box | None]:
    """The most central box that the device's detector finds in each picture, or None.

    Args:
        images: (N, S, S) uint8.
        quiet: shows no progress.

    Returns:
        N boxes in the pictures' own pixels; they may reach over the edge.
    """
    side = images.shape[1]
    border = round(side * _BORDER)
    detector = HaarDetector(DetectorSettings(min_face=0.3))
    boxes: list[Box | None] = []
    for image in tqdm(images, desc="looking for faces", unit="face", mininterval=2.0, disable=quiet):
        wide = cv2.copyMakeBorder(image, border, border, border, border, cv2.BORDER_REPLICATE)
        found = [detection.box for detection in detector.detect(np.asarray(wide, dtype=np.uint8))]
        boxes.append(
            min(
                (box._replace(x=box.x - border, y=box.y - border) for box in found),
                key=lambda box: abs(box.x + (box.width - side) / 2) + abs(box.y + (box.height - side) / 2),
                default=None,
            )
        )
    return boxes


def measure(boxes: list[Box | None], side: int) -> FramingMeasure:
    """Quantiles of boxes found in pictures of that side.

    Raises:
        DataError: there is no box at all.
    """
    found = [box for box in boxes if box is not None]
    if not found:
        raise DataError(
            f"the cascade found a face in none of {len(boxes)} pictures; expected some upright ones from the "
            "front"
        )

    def quantiles(values: npt.ArrayLike) -> tuple[float, float, float]:
        low, median, high = np.quantile(np.asarray(values) / side, (0.1, 0.5, 0.9))
        return round(float(low), 3), round(float(median), 3), round(float(high), 3)

    return FramingMeasure(
        found=len(found) / len(boxes),
        count=len(boxes),
        width=quantiles([box.width for box in found]),
        offset_x=quantiles([box.x + (box.width - side) / 2 for box in found]),
        offset_y=quantiles([box.y + (box.height - side) / 2 for box in found]),
    )


def with_boxes(data: Dataset, cache: Path) -> Dataset:
    """The dataset with the cascade's box for every picture; the median box where it finds none.

    Args:
        data: pictures looser than the device's crop.
        cache: folder for what was found; minutes of searching are done once for equal pictures.

    Raises:
        DataError: it finds none in any picture.
    """
    side = data.images.shape[1]
    # Another detector finds other boxes, in these few as in all.
    few = detect_boxes(data.images[::_EACH], quiet=True)
    digest = hashlib.sha256(np.ascontiguousarray(data.images).tobytes() + repr(few).encode())
    file = cache / f"boxes-{digest.hexdigest()[:16]}.npy"
    if file.exists():
        table = np.load(file)
    else:
        boxes = detect_boxes(data.images)
        seen = measure(boxes, side)
        width = round(seen.width[1] * side)
        usual = Box(
            round(seen.offset_x[1] * side + (side - width) / 2),
            round(seen.offset_y[1] * side + (side - width) / 2),
            width,
            width,
        )
        table = np.array([(b.x, b.y, b.width, b.height) for b in (box or usual for box in boxes)])
        cache.mkdir(parents=True, exist_ok=True)
        atomic_write(file, lambda path: np.save(path, table))
    return replace(data, boxes=tuple(Box(*map(int, row)) for row in table))
