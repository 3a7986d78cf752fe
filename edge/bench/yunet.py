"""YuNet on every frame, as others use it (Wu et al. 2023, doi:10.1007/s11633-023-1423-y).

Its file is named by its path: it is not part of this package.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from edge.bench.accuracy import Observation
from edge.bench.timing import StageTimer
from edge.errors import ConfigError, MissingDependencyError
from edge.files import is_utf8, read_regular
from edge.inference.classifier import FaceReader
from edge.settings.settings import Settings
from edge.types import Box, Frame

_SIDE = 320  # longer side in pixels of the reduced frame that is searched
_MAX_BYTES = 64 << 20  # YuNet has 230 kB; others may be tried
_MIN_SCORE = 0.6
_NMS_IOU = 0.3
# A Haar box is a square of this many times the geometric mean of YuNet's width and height, on the same
# centre.
_HAAR_FACTOR = 1.064


class YuNetLoop:
    """Detects with YuNet on every frame, reduced to 320 pixels, and reads every face with both networks."""

    def __init__(self, settings: Settings, path: Path) -> None:
        """Opens the detector and the networks.

        Args:
            settings: The networks and their threads.
            path: YuNet's .onnx file.

        Raises:
            ConfigError: The file cannot be read or is not a network that OpenCV opens, or its name is not
                UTF-8.
            MissingDependencyError: This OpenCV has no FaceDetectorYN.
        """
        if not hasattr(cv2, "FaceDetectorYN"):
            raise MissingDependencyError(
                f"OpenCV {cv2.__version__} has no FaceDetectorYN; 4.5.4 or later has it"
            )
        try:
            read_regular(path, _MAX_BYTES)
        except OSError as error:
            raise ConfigError(f"YuNet {path}: cannot be read: {error.strerror}") from error
        if not is_utf8(path):
            raise ConfigError(f"YuNet {path}: expected a file name in UTF-8")
        try:
            self._detector = cv2.FaceDetectorYN.create(str(path), "", (_SIDE, _SIDE), _MIN_SCORE, _NMS_IOU)
        except cv2.error as error:
            raise ConfigError(f"YuNet {path}: not a network that OpenCV opens ({error.err})") from error
        self.timer = StageTimer()
        self._reader = FaceReader.open(
            settings.models.emotion, settings.models.gender, settings.models.threads
        )
        self._detect = self.timer.timed("detect", self._detector.detect)
        self._read = self.timer.timed("read", self._reader.read_face)

    def step(self, frame: Frame) -> list[Observation]:
        """Detects, crops and classifies."""
        height, width = frame.gray.shape
        ratio = min(1.0, _SIDE / max(height, width))
        size_wh = max(1, round(width * ratio)), max(1, round(height * ratio))
        reduced = cv2.resize(frame.gray, size_wh, interpolation=cv2.INTER_AREA)
        self._detector.setInputSize(size_wh)
        _, rows = self._detect(cv2.cvtColor(reduced, cv2.COLOR_GRAY2BGR))
        observations = []
        for x, y, face_width, face_height in (
            [] if rows is None else (np.asarray(rows)[:, :4] / ratio).tolist()
        ):
            side = _HAAR_FACTOR * (face_width * face_height) ** 0.5
            centre_x, centre_y = x + face_width / 2, y + face_height / 2
            box = Box(round(centre_x - side / 2), round(centre_y - side / 2), round(side), round(side))
            inside = box.clipped((height, width))
            if inside is not None:
                emotion, gender = self._read(frame.gray, inside)
                observations.append(Observation(inside, 0, emotion.label, gender.label))
        return observations
