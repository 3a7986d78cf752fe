"""Finds the cascade's box in a dataset's images; a recipe's framing and jitter are derived from them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from edge.detection.haar import HaarDetector, HaarSettings
from edge.errors import DataError
from edge.files import atomic_write
from edge.types import Gray
from train.data.dataset import Boxes, Dataset
from train.progress import tracked

# The cascade misses a face that fills the image; a border of this share of the side makes room around it.
_BORDER = 0.3
# The cascade's window has few sizes to try in an image smaller than this.
_MIN_SIDE_PX = 96
_SAMPLE_STEP = 100


@dataclass(frozen=True)
class FramingMeasure:
    """How the cascade's boxes lie in a dataset's images.

    Lengths are shares of the image's side, each as its 10 %, 50 % and 90 % quantile.

    Attributes:
        found: share of the images in which the cascade finds a face, 0 to 1.
        count: number of images searched.
        width: width of the box.
        offset_x: how far the box's centre lies right of the image's centre.
        offset_y: how far the box's centre lies below the image's centre.
    """

    found: float
    count: int
    width: tuple[float, float, float]
    offset_x: tuple[float, float, float]
    offset_y: tuple[float, float, float]

    @property
    def margin(self) -> float:
        """Side of the image / median width of the box: the crop margin that shows what the dataset shows."""
        return 1 / self.width[1]


def enlarge(images: Gray) -> Gray:
    """Returns (N, S, S) images enlarged to 96x96 if they are smaller, so that the cascade can search them."""
    side = images.shape[1]
    if side >= _MIN_SIDE_PX:
        return images
    size = (_MIN_SIDE_PX, _MIN_SIDE_PX)
    return np.stack([np.asarray(cv2.resize(image, size), dtype=np.uint8) for image in images])


def detect_boxes(images: Gray, *, quiet: bool = False) -> Boxes:
    """Finds the most central face in each image with the device's detector.

    Args:
        images: (N, S, S) uint8.
        quiet: do not show how many are done.

    Returns:
        (N, 4) int32: x, y, width and height in pixels of the image. A box may reach beyond the image's edge;
        a row of zeros means that no face was found.
    """
    side = images.shape[1]
    border = round(side * _BORDER)
    detector = HaarDetector(HaarSettings(min_face=0.3))
    boxes = np.zeros((len(images), 4), dtype=np.int32)
    for row, image in enumerate(images if quiet else tracked(images, "looking for faces", "images")):
        bordered = cv2.copyMakeBorder(image, border, border, border, border, cv2.BORDER_REPLICATE)
        detections = detector.detect(np.asarray(bordered, dtype=np.uint8))
        boxes[row] = min(
            (each.box._replace(x=each.box.x - border, y=each.box.y - border) for each in detections),
            key=lambda box: abs(box.x + (box.width - side) / 2) + abs(box.y + (box.height - side) / 2),
            default=(0, 0, 0, 0),
        )
    return boxes


def measure_framing(boxes: Boxes, side: int) -> FramingMeasure:
    """Measures how boxes lie in the images that they were found in.

    Args:
        boxes: (N, 4) int32 as `detect_boxes` returns them.
        side: side of the images in pixels.

    Raises:
        DataError: no face was found in any image.
    """
    x, y, width, height = boxes[_is_found(boxes)].T
    if not len(x):
        raise DataError(
            f"the cascade found a face in none of {len(boxes)} pictures; expected some upright ones from the "
            "front"
        )

    def quantiles(values: npt.NDArray[np.float64] | Boxes) -> tuple[float, float, float]:
        low, median, high = np.quantile(values / side, (0.1, 0.5, 0.9))
        return round(float(low), 3), round(float(median), 3), round(float(high), 3)

    return FramingMeasure(
        found=len(x) / len(boxes),
        count=len(boxes),
        width=quantiles(width),
        offset_x=quantiles(x + (width - side) / 2),
        offset_y=quantiles(y + (height - side) / 2),
    )


def with_boxes(data: Dataset, cache: Path) -> Dataset:
    """Returns the dataset with the cascade's box for every image; the median box where it finds no face.

    Args:
        data: images that show more than the device's crop does.
        cache: folder where boxes are stored: a search takes minutes, and equal images are searched once.

    Raises:
        DataError: the cascade finds no face in any image.
    """
    # The file's name depends on the images and, by way of a sample of its boxes, on the detector.
    sample = detect_boxes(data.images[::_SAMPLE_STEP], quiet=True)
    digest = hashlib.sha256(np.ascontiguousarray(data.images).tobytes() + sample.tobytes())
    file = cache / f"boxes-{digest.hexdigest()[:16]}.npy"
    if file.exists():
        return replace(data, boxes=np.load(file))
    boxes = detect_boxes(data.images)
    side = data.images.shape[1]
    boxes[~_is_found(boxes)] = _median_box(measure_framing(boxes, side), side)
    cache.mkdir(parents=True, exist_ok=True)
    atomic_write(file, lambda path: np.save(path, boxes))
    return replace(data, boxes=boxes)


def _is_found(boxes: Boxes) -> npt.NDArray[np.bool_]:
    return boxes[:, 2] > 0


def _median_box(framing: FramingMeasure, side: int) -> tuple[int, int, int, int]:
    width = round(framing.width[1] * side)
    x, y = (round(offset[1] * side + (side - width) / 2) for offset in (framing.offset_x, framing.offset_y))
    return x, y, width, width
