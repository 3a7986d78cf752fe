"""Finds faces with OpenCV's Haar cascade, on a reduced copy of the picture with evened contrast."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np

from edge.detection.image import downscale, equalize
from edge.errors import ConfigError, MissingDependencyError
from edge.option import option
from edge.system import remedies
from edge.types import Box, Detection, Gray

# The networks' crop margin was derived for the boxes of this very cascade.
CASCADE_NAME = "haarcascade_frontalface_default.xml"
# Where Debian's and Raspberry Pi OS's package opencv-data puts it; their OpenCV has no cv2.data.
_SYSTEM_FOLDERS = (Path("/usr/share/opencv4/haarcascades"), Path("/usr/share/opencv/haarcascades"))
_WINDOW = 24  # side of the cascade's own window in pixels: it sees no smaller face
# A look at a known face: it is reduced to about this side, and sizes from so much smaller to so much larger
# are tried, more finely than in a search and with fewer hits asked for, since that there is a face is known.
# Of 344 faces in two clips it finds 94 % where the box is up to an eighth off; in 61 other places, none.
_NEAR = 36
_SMALLER, _LARGER = 0.75, 1.35
_NEAR_FACTOR = 1.1
_NEAR_NEIGHBORS = 1
_NEAR_ENOUGH = 4
_HINT = 0.5  # share of the hits that make a face from which on something is worth a look


class Detector(Protocol):
    """Whatever finds faces.

    Attributes:
        name: what a person calls it, for messages.
        scale_bands: into how many parts of about equal work `detect` can be split.
    """

    name: str
    scale_bands: int

    def detect(
        self, gray: Gray, exclude: Sequence[Box] = (), scale_band: int | None = None
    ) -> list[Detection]:
        """The faces in a picture of (H, W) uint8 and hints of such, boxes inside it, left to right.

        Args:
            gray: the picture.
            exclude: faces that need not be found again.
            scale_band: 0 to `scale_bands` - 1, to look for that part of all sizes only; None for all.
        """

    def verify(self, gray: Gray, box: Box) -> Detection | None:
        """The face at or near a box and about as large, or None."""


def _default_threads() -> int:
    # A Pi 4 searches a whole picture three times as fast on its four cores as on one. On two cores of a
    # desktop processor (`bench --threads 2`) a frame took a quarter less time and 40 % more of the
    # processor's: heat, for a loop that keeps up with its camera anyway.
    return 4 if (os.cpu_count() or 1) >= 4 else 1


@dataclass(frozen=True)
class DetectorSettings:
    """How faces are searched for.

    The defaults were measured on two clips of 480x270, one face in each of 62 frames and three in each of
    41: all 62, and 98 of the 123, 109 with hints; five hints in all were of no face. A side of 320 finds
    73 of these, 81 with hints, in two thirds of the time.
    """

    cascade: Path | None = field(
        default=None,
        metadata=option("Haar cascade file", "--cascade", default="OpenCV's frontal face"),
    )
    side: int = field(
        default=400,
        metadata=option(
            "longer side in pixels of the reduced picture that is searched, 48 to 4096", "--detect-side"
        ),
    )
    scale_factor: float = field(
        default=1.2,
        metadata=option(
            "ratio between one size of face that is searched for and the next, 1.01 to 2", "--detect-scale"
        ),
    )
    min_neighbors: int = field(
        default=4, metadata=option("overlapping hits that make a face, 0 to 20", "--detect-neighbors")
    )
    min_face: float = field(
        default=0.1,
        metadata=option("smallest face, as a share of the picture's height, 0 to 1", "--min-face"),
    )
    threads: int = field(
        default_factory=_default_threads,
        metadata=option(
            "processor threads of the detection, 1 to 64",
            "--detect-threads",
            default="4 where there are as many cores, else 1",
        ),
    )

    def __post_init__(self) -> None:
        for name, value, low, high in (
            ("side", self.side, 48, 4096),
            ("scale factor", self.scale_factor, 1.01, 2),
            ("neighbors", self.min_neighbors, 0, 20),
            ("smallest face", self.min_face, 0, 1),
            ("threads", self.threads, 1, 64),
        ):
            if not low <= value <= high:
                raise ConfigError(f"detector {name} {value}: must be {low} to {high}")


class HaarDetector:
    """Finds upright faces that look towards the camera. Its levels are no probabilities, so it gives none.

    Example:
        >>> from edge.sources.factory import open_source
        >>> frame = next(iter(open_source("demo")))
        >>> [detection.support >= 1 for detection in HaarDetector().detect(frame.gray)]
        [True]

    Attributes:
        name: the cascade's file.
        scale_bands: 3; the first, the smallest faces, are two sizes of them.
    """

    scale_bands = 3

    def __init__(self, settings: DetectorSettings | None = None) -> None:
        """Loads the cascade.

        Args:
            settings: How faces are searched for; None for the defaults. Without a cascade file in them,
                OpenCV's own folder and the system's are searched for one.

        Raises:
            MissingDependencyError: this OpenCV has no cascade classifier, or there is no cascade file.
            ConfigError: the given file is missing or no cascade.
        """
        self._settings = settings or DetectorSettings()
        if not hasattr(cv2, "CascadeClassifier"):
            raise MissingDependencyError(
                f"OpenCV {cv2.__version__} has no Haar cascade, 4.10 or a later 4 is expected; fix: "
                f"{remedies.reinstall_opencv()}"
            )
        path = self._settings.cascade or find_cascade()
        # OpenCV itself would say nothing or print a page of its own.
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
        """The faces in a picture, and hints of such, from left to right.

        Args:
            gray: (H, W) uint8.
            exclude: faces that need not be found again; what a cascade finds is what costs it most.
            scale_band: 0 for the smallest faces to `parts` - 1 for the largest; None for all sizes.

        Returns:
            Their boxes in pixels of the picture, inside it.
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
        found, hits = self._cascade.detectMultiScale2(
            even,
            scaleFactor=self._settings.scale_factor,
            minNeighbors=round(_HINT * self._settings.min_neighbors),
            minSize=(low, low),
            maxSize=(high, high),
        )
        enough = max(1, self._settings.min_neighbors)
        # OpenCV's order depends on its threads.
        ordered = sorted(zip(_listed(found), _listed(hits), strict=True))
        boxes = [(_enlarged(place, (0, 0), enlarge, gray), count) for place, count in ordered]
        return [Detection(box, support=count / enough) for box, count in boxes if box is not None]

    def verify(self, gray: Gray, box: Box) -> Detection | None:
        """The face at or near a box and about as large.

        Args:
            gray: (H, W) uint8.
            box: where it was; up to half of its size away it is found.

        Returns:
            Of several the one with the most hits, weighed with its overlap; None where there is none.
        """
        left, top = max(0, box.x - box.width // 2), max(0, box.y - box.height // 2)
        cut = gray[top : box.y + box.height * 3 // 2, left : box.x + box.width * 3 // 2]
        if min(cut.shape) < _WINDOW // 2:
            return None
        ratio = min(1.0, _NEAR / max(box.width, box.height))
        height, width = cut.shape
        reduced_wh = max(_WINDOW, round(width * ratio)), max(_WINDOW, round(height * ratio))
        even = equalize(downscale(cut, reduced_wh))
        size = max(box.width, box.height) * ratio
        low, high = max(_WINDOW, int(size * _SMALLER)), max(_WINDOW + 1, int(size * _LARGER) + 1)
        found, hits = self._cascade.detectMultiScale2(
            even,
            scaleFactor=_NEAR_FACTOR,
            minNeighbors=_NEAR_NEIGHBORS,
            minSize=(low, low),
            maxSize=(high, high),
        )
        enlarge = cut.shape[1] / reduced_wh[0], cut.shape[0] / reduced_wh[1]
        best, most, worth = None, 0, 0.0
        for place, count in zip(_listed(found), _listed(hits), strict=True):
            near = _enlarged(place, (left, top), enlarge, gray)
            if near is not None and (weighed := count * near.iou(box)) > worth:
                best, most, worth = near, count, weighed
        return Detection(best, support=most / _NEAR_ENOUGH) if best is not None else None

    def _sizes(self, smallest: int, largest: int, scale_band: int | None) -> tuple[int, int]:
        """Smallest and largest face of a part: what is searched falls with the square of the size."""
        if scale_band is None:
            return smallest, largest
        factor = self._settings.scale_factor
        # Shares of the work of all sizes from the smallest up: 1 - factor^(-2k) of a geometric series.
        edges = [
            round(smallest * (1 / (1 - place / self.scale_bands)) ** 0.5)
            if place < self.scale_bands
            else largest
            for place in range(self.scale_bands + 1)
        ]
        low = edges[scale_band] if scale_band == 0 else round(edges[scale_band] * factor)
        return min(low, largest), max(min(low, largest), edges[scale_band + 1])


def _listed(found: object) -> list[Any]:
    # Without a hit OpenCV gives an empty tuple.
    listed: list[Any] = found.tolist() if isinstance(found, np.ndarray) else []
    return listed


def _enlarged(
    hit: Sequence[int], corner: tuple[int, int], enlarge: tuple[float, float], gray: Gray
) -> Box | None:
    """A hit in a reduced part of a picture as a box of the picture, inside it."""
    left, top, width, height = hit
    box = Box(
        corner[0] + round(left * enlarge[0]),
        corner[1] + round(top * enlarge[1]),
        round(width * enlarge[0]),
        round(height * enlarge[1]),
    )
    return box.clipped((gray.shape[0], gray.shape[1]))


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
        f"no {CASCADE_NAME} in {looked}; fix: {remedies.cascade(from_wheel=data is not None)}"
    )
