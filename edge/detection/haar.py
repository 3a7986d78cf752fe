"""Finds faces with OpenCV's Haar cascade (Viola and Jones, CVPR 2001) on a reduced copy of the frame."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edge.detection.image import downscale, equalize
from edge.detection.settings import DetectorSettings
from edge.errors import ConfigError, MissingDependencyError
from edge.system import remedies
from edge.types import Box, Detection, Gray

# The networks' crop margin was derived for the boxes of this very cascade.
CASCADE_NAME = "haarcascade_frontalface_default.xml"
# Where Debian's and Raspberry Pi OS's package opencv-data puts it; their OpenCV has no cv2.data.
_SYSTEM_FOLDERS = (Path("/usr/share/opencv4/haarcascades"), Path("/usr/share/opencv/haarcascades"))
_WINDOW = 24  # side of the cascade's window in pixels; it sees no smaller face
# `verify` reduces the surroundings of a known face so that the face has about this side in pixels, and
# searches a narrow range of sizes: in finer steps than `detect`, and with fewer hits required, since a face
# is expected there. Of 344 faces in two clips it finds 94 % where the box is up to an eighth off; in 61
# other places, none.
_NEAR = 36
_SMALLER, _LARGER = 0.75, 1.35
_NEAR_FACTOR = 1.1
_NEAR_NEIGHBORS = 1
_NEAR_ENOUGH = 4
_HINT = 0.5  # a hint of a face has at least this share of the hits that a face needs


class HaarDetector:
    """Finds upright faces that look towards the camera.

    A cascade computes no probability, so `confidence` is None.

    Example:
        >>> from edge.sources.factory import open_source
        >>> frame = next(iter(open_source("demo")))
        >>> [detection.support >= 1 for detection in HaarDetector().detect(frame.gray)]
        [True]

    Attributes:
        name: Path of the cascade file.
        scale_bands: 3; the first band, of the smallest faces, holds two sizes.
    """

    scale_bands = 3

    def __init__(self, settings: DetectorSettings | None = None) -> None:
        """Loads the cascade.

        Args:
            settings: How faces are searched for; None for the defaults. Without a cascade file in them,
                OpenCV's own folder and the system's are searched for one.

        Raises:
            MissingDependencyError: this OpenCV has no cascade classifier, or there is no cascade file.
            ConfigError: the given file is missing or not a cascade.
        """
        self._settings = settings or DetectorSettings()
        if not hasattr(cv2, "CascadeClassifier"):
            raise MissingDependencyError(
                f"OpenCV {cv2.__version__} has no Haar cascade, 4.10 or a later 4 is expected; fix: "
                f"{remedies.reinstall_opencv()}"
            )
        path = self._settings.cascade or find_cascade()
        # OpenCV itself would stay silent or print a page.
        try:
            path.open("rb").close()
        except OSError as error:
            raise ConfigError(f"cascade {path}: cannot be read: {error.strerror}") from error
        self.name = str(path)
        self._cascade = cv2.CascadeClassifier()
        try:
            loaded = self._cascade.load(str(path))
        except cv2.error as error:
            raise ConfigError(f"cascade {path}: not a cascade ({error.err})") from error
        if not loaded:
            raise ConfigError(f"cascade {path}: not a cascade")

    def detect(
        self, gray: Gray, exclude: Sequence[Box] = (), scale_band: int | None = None
    ) -> list[Detection]:
        """Searches a frame for faces.

        Args:
            gray: (H, W) uint8.
            exclude: Boxes of faces that need not be found again; they are painted over, because a cascade
                spends most of its time where it finds something.
            scale_band: 0 for the smallest faces to `scale_bands` - 1 for the largest; None for all sizes.

        Returns:
            Faces, and hints of faces with a `support` below 1, from left to right, clipped to the frame.
        """
        height, width = gray.shape
        ratio = min(1.0, self._settings.side / max(height, width))
        reduced_wh = max(1, round(width * ratio)), max(1, round(height * ratio))
        even = equalize(downscale(gray, reduced_wh))
        enlarge = width / reduced_wh[0], height / reduced_wh[1]
        for box in exclude:
            left, top = int(box.x / enlarge[0]), int(box.y / enlarge[1])
            right, bottom = int((box.x + box.width) / enlarge[0]), int((box.y + box.height) / enlarge[1])
            even[max(0, top) : max(0, bottom), max(0, left) : max(0, right)] = 128
        smallest = max(_WINDOW, round(self._settings.min_face * reduced_wh[1]))
        low, high = self._sizes(smallest, min(reduced_wh), scale_band)
        hits, counts = self._cascade.detectMultiScale2(
            even,
            scaleFactor=self._settings.scale_factor,
            minNeighbors=round(_HINT * self._settings.min_neighbors),
            minSize=(low, low),
            maxSize=(high, high),
        )
        enough = max(1, self._settings.min_neighbors)
        # OpenCV's order depends on its threads.
        ordered = sorted(zip(_to_list(hits), _to_list(counts), strict=True))
        boxes = [(_to_frame(hit, (0, 0), enlarge, gray), count) for hit, count in ordered]
        return [Detection(box, support=count / enough) for box, count in boxes if box is not None]

    def verify(self, gray: Gray, box: Box) -> Detection | None:
        """Returns the face at or near a box and of about its size.

        Args:
            gray: (H, W) uint8.
            box: Where a face is expected; one up to half of the box's size away is found.

        Returns:
            Of several faces the one with the highest product of hits and overlap (IoU); None if there is
            none.
        """
        left, top = max(0, box.x - box.width // 2), max(0, box.y - box.height // 2)
        crop = gray[top : box.y + box.height * 3 // 2, left : box.x + box.width * 3 // 2]
        if min(crop.shape) < _WINDOW // 2:
            return None
        ratio = min(1.0, _NEAR / max(box.width, box.height))
        height, width = crop.shape
        reduced_wh = max(_WINDOW, round(width * ratio)), max(_WINDOW, round(height * ratio))
        even = equalize(downscale(crop, reduced_wh))
        size = max(box.width, box.height) * ratio
        low, high = max(_WINDOW, int(size * _SMALLER)), max(_WINDOW + 1, int(size * _LARGER) + 1)
        hits, counts = self._cascade.detectMultiScale2(
            even,
            scaleFactor=_NEAR_FACTOR,
            minNeighbors=_NEAR_NEIGHBORS,
            minSize=(low, low),
            maxSize=(high, high),
        )
        enlarge = width / reduced_wh[0], height / reduced_wh[1]
        best, best_count, best_score = None, 0, 0.0
        for hit, count in zip(_to_list(hits), _to_list(counts), strict=True):
            near = _to_frame(hit, (left, top), enlarge, gray)
            if near is not None and (score := count * near.iou(box)) > best_score:
                best, best_count, best_score = near, count, score
        return Detection(best, support=best_count / _NEAR_ENOUGH) if best is not None else None

    def _sizes(self, smallest: int, largest: int, scale_band: int | None) -> tuple[int, int]:
        """Returns the smallest and the largest face of a band in pixels of the reduced copy."""
        if scale_band is None:
            return smallest, largest
        factor = self._settings.scale_factor
        # Work falls with the square of the face size, a geometric series: the sizes up to k steps above the
        # smallest take 1 - factor^(-2k) of it. The edges cut it into equal shares.
        edges = [
            round(smallest * (1 / (1 - band / self.scale_bands)) ** 0.5)
            if band < self.scale_bands
            else largest
            for band in range(self.scale_bands + 1)
        ]
        low = edges[scale_band] if scale_band == 0 else round(edges[scale_band] * factor)
        return min(low, largest), max(min(low, largest), edges[scale_band + 1])


def _to_list(found: object) -> list[Any]:
    # Without a hit OpenCV returns an empty tuple.
    values: list[Any] = found.tolist() if isinstance(found, np.ndarray) else []
    return values


def _to_frame(
    hit: Sequence[int], corner: tuple[int, int], enlarge: tuple[float, float], gray: Gray
) -> Box | None:
    """Converts a hit in a reduced crop to a box clipped to the frame.

    Args:
        hit: x, y, width and height in pixels of the reduced crop.
        corner: x and y of the crop in the frame.
        enlarge: Frame pixels per pixel of the reduced crop, horizontally and vertically.
        gray: The frame, (H, W) uint8.
    """
    left, top, width, height = hit
    box = Box(
        corner[0] + round(left * enlarge[0]),
        corner[1] + round(top * enlarge[1]),
        round(width * enlarge[0]),
        round(height * enlarge[1]),
    )
    return box.clipped((gray.shape[0], gray.shape[1]))


def find_cascade() -> Path:
    """Returns the path of the cascade file, in OpenCV's own data or in those of Debian's package opencv-data.

    Raises:
        MissingDependencyError: neither has the file.
    """
    data = getattr(cv2, "data", None)
    folders = (*([Path(data.haarcascades)] if data else []), *_SYSTEM_FOLDERS)
    for folder in folders:
        if (folder / CASCADE_NAME).is_file():
            return folder / CASCADE_NAME
    searched = ", ".join(str(folder) for folder in folders)
    raise MissingDependencyError(
        f"no {CASCADE_NAME} in {searched}; fix: {remedies.cascade(from_wheel=data is not None)}"
    )
