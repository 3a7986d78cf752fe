"""Finds faces with OpenCV's Haar cascade (Viola and Jones, CVPR 2001) on a reduced copy of the frame."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edge.detection.image import downscale, equalize
from edge.errors import ConfigError, MissingDependencyError
from edge.files import is_utf8, read_regular
from edge.system import remedies
from edge.types import Box, Detection, Gray

# The networks' crop margin was derived for the boxes of this very cascade.
CASCADE_NAME = "haarcascade_frontalface_default.xml"
# Where Debian's and Raspberry Pi OS's package opencv-data puts it; their OpenCV has no cv2.data.
_SYSTEM_FOLDERS = (Path("/usr/share/opencv4/haarcascades"), Path("/usr/share/opencv/haarcascades"))
_MAX_BYTES = 16 << 20  # OpenCV's largest cascade has 3 MB
WINDOW_PX = 24  # side of the cascade's window; it sees no smaller face


@dataclass(frozen=True)
class HaarSettings:
    """How `HaarDetector` searches a whole image.

    Attributes:
        side: longer side in pixels of the reduced copy that is searched.
        scale_factor: ratio between one size of face that is searched for and the next, above 1.
        min_neighbors: overlapping hits that make a face.
        min_face: smallest face, as a share of the image's height, 0 to 1.
        cascade: file of the cascade; None for OpenCV's own.
    """

    side: int = 400
    scale_factor: float = 1.2
    min_neighbors: int = 2
    min_face: float = 0.1
    cascade: Path | None = None


class HaarDetector:
    """Finds upright faces that look towards the camera in whole images; training crops its images by it.

    A cascade computes no probability, so `confidence` is None.

    Example:
        >>> from edge.sources.factory import open_source
        >>> frame = next(iter(open_source("demo")))
        >>> [detection.confidence for detection in HaarDetector().detect(frame.gray)]
        [None]

    Attributes:
        name: Path of the cascade file.
    """

    def __init__(self, settings: HaarSettings | None = None) -> None:
        """Loads the cascade.

        Args:
            settings: How faces are searched for; None for the defaults.

        Raises:
            MissingDependencyError: this OpenCV has no cascade classifier, or there is no cascade file.
            ConfigError: the given file is missing or not a cascade.
        """
        self._settings = settings or HaarSettings()
        path = self._settings.cascade or find_cascade()
        self.name = str(path)
        self._cascade = load_cascade(path)

    def detect(self, gray: Gray) -> list[Detection]:
        """Searches an image for faces.

        Args:
            gray: (H, W) uint8.

        Returns:
            Faces from left to right, clipped to the image.
        """
        height, width = gray.shape
        ratio = min(1.0, self._settings.side / max(height, width))
        reduced_wh = max(1, round(width * ratio)), max(1, round(height * ratio))
        enlarge = width / reduced_wh[0], height / reduced_wh[1]
        largest = min(reduced_wh)
        smallest = max(WINDOW_PX, round(self._settings.min_face * reduced_wh[1]))
        hits = self._cascade.detectMultiScale(
            equalize(downscale(gray, reduced_wh)),
            scaleFactor=self._settings.scale_factor,
            minNeighbors=self._settings.min_neighbors,
            minSize=(min(smallest, largest), min(smallest, largest)),
            maxSize=(largest, largest),
        )
        # OpenCV's order depends on its threads.
        boxes = (
            Box(
                round(left * enlarge[0]),
                round(top * enlarge[1]),
                round(hit_width * enlarge[0]),
                round(hit_height * enlarge[1]),
            ).clipped((height, width))
            for left, top, hit_width, hit_height in sorted(to_list(hits))
        )
        return [Detection(box) for box in boxes if box is not None]


def load_cascade(path: Path) -> cv2.CascadeClassifier:
    """Loads a cascade.

    Raises:
        MissingDependencyError: this OpenCV has no cascade classifier.
        ConfigError: the file is missing or not a cascade, or its name is not UTF-8.
    """
    if not hasattr(cv2, "CascadeClassifier"):
        raise MissingDependencyError(
            f"OpenCV {cv2.__version__} has no Haar cascade, 4.10 or a later 4 is expected; fix: "
            f"{remedies.reinstall_opencv()}"
        )
    # OpenCV itself would stay silent or print a page.
    try:
        read_regular(path, _MAX_BYTES)
    except OSError as error:
        raise ConfigError(f"cascade {path}: cannot be read: {error.strerror}") from error
    if not is_utf8(path):
        raise ConfigError(f"cascade {path}: expected a file name in UTF-8")
    cascade = cv2.CascadeClassifier()
    try:
        loaded = cascade.load(str(path))
    except cv2.error as error:
        raise ConfigError(f"cascade {path}: not a cascade ({error.err})") from error
    if not loaded:
        raise ConfigError(f"cascade {path}: not a cascade")
    return cascade


def to_list(found: object) -> list[Any]:
    """Returns what OpenCV found as a list; without a hit it returns an empty tuple."""
    values: list[Any] = found.tolist() if isinstance(found, np.ndarray) else []
    return values


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
