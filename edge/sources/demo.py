"""A source that needs no camera, network or data: drawn frames in which computed faces drift and change.

The faces are averages over hundreds of images; they show no person.
"""

from __future__ import annotations

import functools
import itertools
import logging
import math
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from edge.errors import CameraError
from edge.labels import GENDERS
from edge.sources.paced import PacedCamera, TimedFrames
from edge.sources.settings import CaptureSettings
from edge.types import Gray

_Floats: TypeAlias = npt.NDArray[np.float32]

logger = logging.getLogger(__name__)

FPS = 15
_WIDTH, _HEIGHT = 640, 480
_FACE_SIDE = 48
# The order in which a face shows the emotions: those first that are read right most surely. Not happiness,
# because the cascade, which others are compared with, sees a second face in the larger one then.
_SHOWN = ("surprise", "angry", "neutral", "disgust", "happy", "sad", "fear")
# How long a face shows an emotion; in the last part of it, it fades into the next one.
_EMOTION_S = 2.5
_FADE_S = 0.5
# The second, smaller face comes into view after a part of each period.
_VISIT_S, _ALONE_S = 14.0, 3.0


class Demo:
    """Draws the frames of the demo."""

    def __init__(self, folder: Path) -> None:
        """Reads the faces.

        Args:
            folder: Holds a square gray image `<emotion>-<gender>.png` of each emotion and apparent gender.

        Raises:
            CameraError: One of the images is missing or damaged.
        """
        self._faces = {
            gender: [_read_face(folder / f"{emotion}-{gender}.png") for emotion in _SHOWN]
            for gender in GENDERS
        }
        rows, columns = np.mgrid[0:_HEIGHT, 0:_WIDTH].astype(np.float32)
        noise = np.random.default_rng(0).normal(0, 1.5, (_HEIGHT, _WIDTH)).astype(np.float32)
        self._background = 55 - 25 * rows / _HEIGHT + 12 * columns / _WIDTH + noise

    def frame(self, index: int) -> Gray:
        """Returns the frame of an index, (480, 640) uint8; the same index always returns the same frame."""
        now_s = index / FPS
        canvas = self._background.copy()
        drift_x, drift_y = 50 * math.sin(0.5 * now_s), 60 * math.sin(0.37 * now_s)
        self._draw(canvas, self._face_at("female", now_s), 280, (round(230 + drift_x), round(240 + drift_y)))
        if now_s % _VISIT_S >= _ALONE_S:
            drift_x, drift_y = 25 * math.sin(0.6 * now_s), 80 * math.cos(0.43 * now_s)
            visitor = self._face_at("male", now_s + 3 * _EMOTION_S)
            self._draw(canvas, visitor, 174, (round(520 + drift_x), round(240 + drift_y)))
        return np.asarray(canvas.clip(0, 255), dtype=np.uint8)

    def _face_at(self, gender: str, time_s: float) -> Gray:
        """Returns the face at a time: one emotion, or one that fades into the next."""
        faces = self._faces[gender]
        number, into_s = divmod(time_s, _EMOTION_S)
        fade = max(0.0, (into_s - _EMOTION_S + _FADE_S) / _FADE_S)
        current, following = faces[int(number) % len(faces)], faces[(int(number) + 1) % len(faces)]
        return np.asarray(cv2.addWeighted(current, 1 - fade, following, fade, 0), dtype=np.uint8)

    def _draw(self, canvas: _Floats, small: Gray, side: int, centre_xy: tuple[int, int]) -> None:
        """Blends a face into the canvas; six sevenths of `side` are face, the rest is its edge."""
        face = cv2.resize(small, (side, side), interpolation=cv2.INTER_CUBIC)
        left, top = centre_xy[0] - side // 2, centre_xy[1] - side // 2
        region = canvas[top : top + side, left : left + side]
        region += _soft_edge(side) * (face - region)


def open_demo(settings: CaptureSettings, *, fast: bool) -> PacedCamera:
    """Opens the endless demo: 15 frames a second of 640x480, or as fast as they are taken.

    Raises:
        CameraError: One of its faces is missing or damaged.
    """
    demo = Demo(Path(__file__).with_name("demo_faces"))
    logger.info("demo: drawn faces and no camera; no frame shows anyone here")
    return PacedCamera("demo", _frames_of(demo), settings, fast=fast)


def _frames_of(demo: Demo) -> TimedFrames:
    for index in itertools.count():
        yield index / FPS, demo.frame(index)


@functools.cache
def _soft_edge(side: int) -> _Floats:
    """Returns the opacity of a face, (side, side) from 0 to 1.

    It is squarer than a circle, which would crop the chin.
    """
    axis = np.abs(np.linspace(-1, 1, side, dtype=np.float32)) ** 2.5
    inside = np.clip((1 - (axis[None, :] + axis[:, None]) ** 0.4) / 0.3, 0, 1)
    return np.asarray(inside**2 * (3 - 2 * inside), dtype=np.float32)


def _read_face(path: Path) -> Gray:
    face = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) if path.is_file() else None
    if face is None or face.shape != (_FACE_SIDE, _FACE_SIDE):
        raise CameraError(f"{path}: missing or damaged, and so is this installation; reinstall emotiny")
    edge = _FACE_SIDE // 12
    return np.asarray(cv2.copyMakeBorder(face, edge, edge, edge, edge, cv2.BORDER_REPLICATE), dtype=np.uint8)
