"""A drawn room in which two people with the demo's faces stand, for pictures that show more than faces."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from edge.sources import demo
from edge.types import Gray

FPS = 15
_WIDTH, _HEIGHT = 960, 720
_FACES = Path(demo.__file__).with_name("demo_faces")


def room(index: int) -> Gray:
    """Returns a frame, (720, 960) uint8: a window, a door, a table, and two people who sway."""
    canvas = np.full((_HEIGHT, _WIDTH), 172, np.uint8)
    canvas[500:] = 120
    _furnish(canvas)
    sway = np.sin(0.5 * index / FPS), np.sin(0.37 * index / FPS)
    _person(canvas, "happy-female", (360 + round(55 * sway[0]), 300), 150)
    _person(canvas, "neutral-male", (690 + round(40 * sway[1]), 265), 96)
    return np.asarray(cv2.GaussianBlur(canvas, (0, 0), 0.8), dtype=np.uint8)


def write_room(path: Path, seconds: float) -> None:
    """Writes a video of the room."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), FPS, (_WIDTH, _HEIGHT))
    for index in range(round(seconds * FPS)):
        writer.write(cv2.cvtColor(room(index), cv2.COLOR_GRAY2BGR))
    writer.release()


def _furnish(canvas: npt.NDArray[np.uint8]) -> None:
    cv2.rectangle(canvas, (60, 90), (250, 330), 225, cv2.FILLED)  # the window, and its frame
    for start, end in (((60, 90), (250, 330)), ((155, 90), (155, 330)), ((60, 210), (250, 210))):
        cv2.rectangle(canvas, start, end, 60, 8)
    cv2.rectangle(canvas, (800, 130), (930, 560), 90, cv2.FILLED)  # the door
    cv2.rectangle(canvas, (800, 130), (930, 560), 40, 6)
    cv2.rectangle(canvas, (40, 560), (300, 590), 60, cv2.FILLED)  # the table
    for left in (60, 265):
        cv2.rectangle(canvas, (left, 590), (left + 16, 720), 60, cv2.FILLED)


def _person(canvas: npt.NDArray[np.uint8], name: str, centre: tuple[int, int], side: int) -> None:
    x, y = centre
    # From the middle of the body, in sides of the face.
    left_half = [(-1.0, 9.0), (-0.95, 1.0), (-0.3, 0.7)]
    shape = [*left_half, *((-across, down) for across, down in reversed(left_half))]
    body = np.array([(x + round(across * side), y + round(down * side)) for across, down in shape])
    cv2.fillPoly(canvas, [body], (55,))
    cv2.ellipse(canvas, (x, y), (round(0.52 * side), round(0.66 * side)), 0, 0, 360, (45,), cv2.FILLED)
    small = cv2.imread(str(_FACES / f"{name}.png"), cv2.IMREAD_GRAYSCALE)
    face = cv2.resize(small, (side, side), interpolation=cv2.INTER_CUBIC).astype(np.float64)
    axis = np.linspace(-1, 1, side)
    opacity = np.clip((1 - np.hypot(axis[:, None], 1.15 * axis[None, :])) / 0.25, 0, 1)
    left, top = x - side // 2, y - side // 2
    region = canvas[top : top + side, left : left + side]
    region[:] = (region + opacity * (face - region)).astype(np.uint8)
