"""Finds faces with OpenCV's Haar cascade, on a reduced copy of the picture with evened contrast."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from edge.errors import ConfigError, MissingDependencyError
from edge.types import Box, Detection, Gray

# The networks' crop margin was derived for the boxes of this very cascade.
CASCADE_NAME = "haarcascade_frontalface_default.xml"
# Where Debian's and Raspberry Pi OS's package opencv-data puts it; their OpenCV has no cv2.data.
_SYSTEM_FOLDERS = (Path("/usr/share/opencv4/haarcascades"), Path("/usr/share/opencv/haarcascades"))
_WINDOW = 24  # side of the cascade's own window in pixels: it sees no smaller face


class Detector(Protocol):
    """Whatever finds faces.

    Attributes:
        name: what a person calls it, for messages.
    """

    name: str

    def detect(self, gray: Gray) -> list[Detection]:
        """The faces in a picture of (H, W) uint8, boxes in its pixels and inside it, left to right."""


@dataclass(frozen=True)
class DetectorSettings:
    """How faces are looked for.

    The defaults were measured on two clips of 480x270, one face in each of 62 frames and three in each of
    41: every frame of the first, 110 of the 123 faces of the second, no false box. A side of 320 finds 74
    of these in half the time.

    Attributes:
        side: longer side of the reduced copy in pixels, 48 to 4096; smaller pictures are not enlarged.
        scale_factor: between two sizes of faces that are tried, 1.01 to 2.
        min_neighbors: how many overlapping hits make a face, 0 to 20.
        min_face: smallest face, as a share of the picture's height, 0 to 1.
    """

    side: int = 400
    scale_factor: float = 1.15
    min_neighbors: int = 4
    min_face: float = 0.1

    def __post_init__(self) -> None:
        for name, value, low, high in (
            ("side", self.side, 48, 4096),
            ("scale factor", self.scale_factor, 1.01, 2),
            ("neighbors", self.min_neighbors, 0, 20),
            ("smallest face", self.min_face, 0, 1),
        ):
            if not low <= value <= high:
                raise ConfigError(f"detector {name} {value}: must be {low} to {high}")


class HaarDetector:
    """Finds upright faces that look towards the camera. Its levels are no probabilities, so it gives none.

    Attributes:
        name: the cascade's file.
    """

    def __init__(self, settings: DetectorSettings | None = None, cascade_path: Path | None = None) -> None:
        """Loads the cascade.

        Args:
            settings: how faces are looked for; None for the defaults.
            cascade_path: a cascade file; None looks in OpenCV's own folder and in the system's.

        Raises:
            MissingDependencyError: this OpenCV has no cascade classifier, or there is no cascade file.
            ConfigError: the given file is missing or no cascade.
        """
        self._settings = settings or DetectorSettings()
        if not hasattr(cv2, "CascadeClassifier"):
            raise MissingDependencyError(
                f"OpenCV {cv2.__version__} has no Haar cascade: "
                "pip install 'opencv-python-headless>=4.10,<5' or sudo apt install python3-opencv opencv-data"
            )
        path = cascade_path or find_cascade()
        # OpenCV itself would say nothing or print a page of its own.
        try:
            path.open("rb").close()
        except OSError as error:
            raise ConfigError(f"cascade {path}: cannot be read: {error.strerror}") from error
        self.name = str(path)
        # One tile: the whole picture's histogram is equalised, each gray having a limited say. As it is, a
        # picture gives 81 of those 123 faces and some folds of clothes; equalised without the limit, a
        # plain wall takes all contrast from a face before it.
        self._contrast = cv2.createCLAHE(clipLimit=2.0, tileGridSize=(1, 1))
        self._cascade = cv2.CascadeClassifier()
        try:
            loaded = self._cascade.load(str(path))
        except cv2.error as error:
            raise ConfigError(f"cascade {path}: not a cascade ({error.err})") from error
        if not loaded:
            raise ConfigError(f"cascade {path}: not a cascade")

    def detect(self, gray: Gray) -> list[Detection]:
        """The faces in a picture, from left to right.

        Args:
            gray: (H, W) uint8.

        Returns:
            Their boxes in pixels of the picture, inside it.
        """
        height, width = gray.shape
        ratio = min(1.0, self._settings.side / max(height, width))
        reduced_wh = max(1, round(width * ratio)), max(1, round(height * ratio))
        reduced = gray if ratio == 1.0 else cv2.resize(gray, reduced_wh, interpolation=cv2.INTER_AREA)
        smallest = max(_WINDOW, round(self._settings.min_face * reduced_wh[1]))
        found = self._cascade.detectMultiScale(
            self._contrast.apply(reduced),
            scaleFactor=self._settings.scale_factor,
            minNeighbors=self._settings.min_neighbors,
            minSize=(smallest, smallest),
        )
        enlarge_x, enlarge_y = width / reduced_wh[0], height / reduced_wh[1]
        detections = []
        # OpenCV's order depends on its threads.
        for left, top, box_width, box_height in sorted(np.asarray(found, dtype=int).reshape(-1, 4).tolist()):
            box = Box(
                round(left * enlarge_x),
                round(top * enlarge_y),
                round(box_width * enlarge_x),
                round(box_height * enlarge_y),
            ).clipped((height, width))
            if box is not None:
                detections.append(Detection(box))
        return detections


def find_cascade() -> Path:
    """The cascade file, from OpenCV's own data or from Debian's opencv-data.

    Raises:
        MissingDependencyError: there is none.
    """
    data = getattr(cv2, "data", None)
    folders = (*([Path(data.haarcascades)] if data else []), *_SYSTEM_FOLDERS)
    for folder in folders:
        if (folder / CASCADE_NAME).is_file():
            return folder / CASCADE_NAME
    looked = ", ".join(str(folder) for folder in folders)
    raise MissingDependencyError(
        f"no {CASCADE_NAME} in {looked}: sudo apt install opencv-data "
        "or pip install 'opencv-python-headless>=4.10,<5'"
    )
