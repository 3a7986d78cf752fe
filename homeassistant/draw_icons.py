"""Draws the pictures of the app: `python homeassistant/draw_icons.py homeassistant/emotiny`."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

Canvas = npt.NDArray[np.uint8]

# Drawn at this many times the size, then scaled down, which smooths the edges.
_SCALE = 4
_ICON_PX = 128
_LOGO_WH = (250, 100)
# Blue, green, red and opacity.
_BLUE = (168, 107, 31, 255)
_WHITE = (255, 255, 255, 255)


def draw_face(canvas: Canvas, center_xy: tuple[int, int], radius: int) -> None:
    """Draws a smiling face between the corners of a detection box, in pixels of the canvas."""
    x, y = center_xy
    thick = max(1, radius // 10)
    cv2.circle(canvas, (x, y), radius, _BLUE, -1, cv2.LINE_AA)
    for side in (-1, 1):
        cv2.circle(
            canvas, (x + side * radius * 3 // 8, y - radius // 4), radius // 8, _WHITE, -1, cv2.LINE_AA
        )
    mouth = radius * 9 // 16
    cv2.ellipse(canvas, (x, y + radius // 16), (mouth, mouth), 0, 20, 160, _WHITE, thick, cv2.LINE_AA)
    reach, length = radius * 5 // 4, radius // 2
    for across in (-1, 1):
        for down in (-1, 1):
            corner = np.array((x + across * reach, y + down * reach))
            ends = [corner - (across * length, 0), corner, corner - (0, down * length)]
            cv2.polylines(canvas, [np.array(ends, np.int32)], False, _BLUE, thick, cv2.LINE_AA)


def draw_icon() -> Canvas:
    """Returns the icon: (128, 128, 4) uint8, blue, green, red and opacity."""
    side = _ICON_PX * _SCALE
    canvas = np.zeros((side, side, 4), np.uint8)
    draw_face(canvas, (side // 2, side // 2), side * 3 // 8)
    return _scaled(canvas, (_ICON_PX, _ICON_PX))


def draw_logo() -> Canvas:
    """Returns the logo, a face and the name: (100, 250, 4) uint8."""
    width, height = (length * _SCALE for length in _LOGO_WH)
    canvas = np.zeros((height, width, 4), np.uint8)
    draw_face(canvas, (height // 2, height // 2), height * 5 // 16)
    place = (height * 19 // 20, height * 5 // 8)
    cv2.putText(canvas, "emotiny", place, cv2.FONT_HERSHEY_DUPLEX, 4.2, _BLUE, 10, cv2.LINE_AA)
    return _scaled(canvas, _LOGO_WH)


def _scaled(canvas: Canvas, size_wh: tuple[int, int]) -> Canvas:
    return cv2.resize(canvas, size_wh, interpolation=cv2.INTER_AREA).astype(np.uint8)


def main(folder: Path) -> None:
    """Writes icon.png and logo.png."""
    for name, picture in (("icon", draw_icon()), ("logo", draw_logo())):
        if not cv2.imwrite(str(folder / f"{name}.png"), picture, [cv2.IMWRITE_PNG_COMPRESSION, 9]):
            raise OSError(f"{folder}: cannot write {name}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
