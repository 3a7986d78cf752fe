"""Draws faces and their readings on a frame."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from edge.types import Box, Face, Gray

_FONT = cv2.FONT_HERSHEY_SIMPLEX
# Blue, green, red; bright enough for black text.
_COLOURS = ((80, 220, 80), (80, 200, 255), (255, 190, 90), (200, 150, 255), (220, 220, 80))


def draw_faces(gray: Gray, faces: tuple[Face, ...]) -> npt.NDArray[np.uint8]:
    """Draws a box around each face and its readings next to it, on a copy of the frame.

    Args:
        gray: (H, W) uint8; not changed.
        faces: Faces, with boxes inside the frame.

    Returns:
        (H, W, 3) uint8, in the order blue, green, red.
    """
    canvas = cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR)
    line = max(1, round(min(gray.shape) / 240))
    occupied = [face.detection.box for face in faces]
    for face in faces:
        box = face.detection.box
        colour = _COLOURS[face.id % len(_COLOURS)]
        right, bottom = box.x + box.width - 1, box.y + box.height - 1
        cv2.rectangle(canvas, (box.x, box.y), (right, bottom), colour, line)
        texts = (
            f"#{face.id} {face.emotion.label} {face.emotion.confidence:.0%}",
            "apparent gender",
            f"{face.gender.label} {face.gender.confidence:.0%}",
        )
        scale, row_px, label_wh = _fit_label(texts, (gray.shape[0], gray.shape[1]))
        label = _label_box(box, label_wh, occupied, (gray.shape[0], gray.shape[1]))
        occupied.append(label)
        corner = label.x + label.width - 1, label.y + label.height - 1
        cv2.rectangle(canvas, (label.x, label.y), corner, colour, cv2.FILLED)
        for row, text in enumerate(texts, start=1):
            # Letters such as g reach a quarter of their height below the line of text.
            origin = label.x + row_px // 4, label.y + row * row_px - row_px // 4
            cv2.putText(canvas, text, origin, _FONT, scale, (0, 0, 0), 1 + int(scale), cv2.LINE_AA)
    return np.asarray(canvas, dtype=np.uint8)


def _fit_label(texts: tuple[str, ...], frame_hw: tuple[int, int]) -> tuple[float, int, tuple[int, int]]:
    """Returns the font scale, the height of a row and the size of a label, so that it fits the frame."""
    scale = max(0.4, frame_hw[0] / 900)
    while True:
        thickness = 1 + int(scale)
        sizes = [cv2.getTextSize(text, _FONT, scale, thickness)[0] for text in texts]
        row_px = round(max(height for _, height in sizes) * 1.7)
        label_wh = max(width for width, _ in sizes) + row_px // 2, row_px * len(texts) + row_px // 4
        if (label_wh[0] <= frame_hw[1] and label_wh[1] <= frame_hw[0]) or scale < 0.1:
            return scale, row_px, label_wh
        scale *= 0.9


def _label_box(box: Box, label_wh: tuple[int, int], occupied: list[Box], frame_hw: tuple[int, int]) -> Box:
    """Returns the label's position: the side of the face's box on which it covers least of other boxes.

    Args:
        box: Box of the face.
        label_wh: Size of the label.
        occupied: Boxes of all faces and of the labels drawn so far.
        frame_hw: Size of the frame, into which every candidate is shifted.
    """
    width, height = min(label_wh[0], frame_hw[1]), min(label_wh[1], frame_hw[0])
    above, below = (box.x, box.y - height), (box.x, box.y + box.height)
    right, left = (box.x + box.width, box.y), (box.x - width, box.y)
    candidates = [
        Box(min(max(x, 0), frame_hw[1] - width), min(max(y, 0), frame_hw[0] - height), width, height)
        for x, y in (above, below, right, left)
    ]
    return min(candidates, key=lambda candidate: sum(candidate.iou(other) for other in occupied))
