"""Turns, scales and shifts a part of an image into a square crop."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from edge.types import Gray

Matrix = npt.NDArray[np.float64]
Point = tuple[float, float]


def similarity(centre: Point, target: Point, scale: float, angle_deg: float) -> Matrix:
    """Returns the (2, 3) matrix that maps image pixels to crop pixels.

    Whole numbers are the centres of pixels.

    Args:
        centre: x and y of a point in the image.
        target: where that point lies in the crop.
        scale: crop pixels per image pixel.
        angle_deg: angle by which the image is turned counter-clockwise.
    """
    angle = np.deg2rad(angle_deg)
    cos, sin = np.cos(angle) * scale, np.sin(angle) * scale
    turn = np.array([[cos, sin], [-sin, cos]])
    return np.column_stack([turn, np.array(target) - turn @ np.array(centre)])


def apply(matrix: Matrix, points: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Returns (N, 2) image points in crop pixels."""
    return np.asarray(np.reshape(points, (-1, 2)) @ matrix[:, :2].T + matrix[:, 2])


def warp(image: Gray, matrix: Matrix, size: int, background: Gray | None = None) -> Gray:
    """Returns the crop that a matrix describes.

    Args:
        image: (H, W) uint8.
        matrix: (2, 3), as `similarity` returns it.
        size: side of the crop in pixels.
        background: (size, size) uint8, what lies beyond the image's edge; None repeats the edge's pixels.

    Returns:
        (size, size) uint8.
    """
    part, offset = _part(image, matrix, size)
    matrix = np.column_stack([matrix[:, :2], matrix[:, 2] + matrix[:, :2] @ offset])
    part, matrix = _halved(part, matrix)
    if background is None:
        out = cv2.warpAffine(
            part, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        return np.asarray(out, np.uint8)
    out = background.copy()
    cv2.warpAffine(
        part, matrix, (size, size), dst=out, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_TRANSPARENT
    )
    return out


def random_part(image: Gray, size: int, random: np.random.Generator) -> Gray:
    """Returns a random square of an image that was resized to a shorter side of once to twice `size`."""
    height, width = image.shape
    scale = size / min(height, width) * np.exp(random.uniform(0, 0.7))
    resized_wh = max(size, int(width * scale)), max(size, int(height * scale))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    resized = np.asarray(cv2.resize(image, resized_wh, interpolation=method), np.uint8)
    top, left = random.integers(resized_wh[1] - size + 1), random.integers(resized_wh[0] - size + 1)
    return np.ascontiguousarray(resized[top : top + size, left : left + size])


def _part(image: Gray, matrix: Matrix, size: int) -> tuple[Gray, npt.NDArray[np.float64]]:
    """Returns the part of the image that the crop shows, and where it lies: all of it takes longer."""
    corners = [(x, y) for x in (-1, size) for y in (-1, size)]
    back = np.linalg.inv(matrix[:, :2])
    seen = (np.array(corners) - matrix[:, 2]) @ back.T
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    border = 2 + 2 / scale  # what a reduced pixel averages and the interpolation reads
    height, width = image.shape
    left, top = np.clip(np.floor(seen.min(axis=0) - border), 0, (width - 1, height - 1)).astype(int)
    right, bottom = np.clip(np.ceil(seen.max(axis=0) + border), (left, top), (width - 1, height - 1)).astype(
        int
    )
    return image[top : bottom + 1, left : right + 1], np.array([left, top], np.float64)


def _halved(image: Gray, matrix: Matrix) -> tuple[Gray, Matrix]:
    """Reduces an image to a half, a quarter, ... by averages, where the crop is that much smaller.

    The warp interpolates between four pixels: without this, it would skip pixels of a larger image.
    """
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    factor = 1
    while scale * factor * 2 <= 1 and factor * 2 <= min(image.shape):
        factor *= 2
    if factor == 1:
        return image, matrix
    height, width = image.shape[0] // factor, image.shape[1] // factor
    even = image[: height * factor, : width * factor]  # so that every pixel is the mean of whole pixels
    small = cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA)
    turn = matrix[:, :2] * factor
    shift = matrix[:, 2] + matrix[:, :2] @ np.full(2, (factor - 1) / 2)
    return np.asarray(small, np.uint8), np.column_stack([turn, shift])
