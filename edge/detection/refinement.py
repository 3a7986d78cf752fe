"""Judges whether a square holds a face, and where exactly it lies.

The network is in the manner of MTCNN's R-Net (Zhang et al. 2016, arXiv:1604.02878).
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import cast

import cv2

from edge.detection.candidate import Candidate
from edge.detection.outputs import (
    CROP_MARGIN,
    REFINEMENT_SHIFT_SCALE,
    REFINEMENT_SIZE_SCALE,
    YAW_SCALE,
)
from edge.inference.network import Network
from edge.inference.preprocess import Framing, crop_square, normalize_contrast
from edge.types import Gray

_FRAMING = Framing(CROP_MARGIN, 0.0)
_MOST_SIDES = 4  # of the frame; no face that is seen is larger
# What mirroring a picture does to "face", "dx", "dy", "size", "roll_sin", "roll_cos" and "yaw".
_SIGNS = (1, -1, 1, 1, -1, 1, 1)


class RefinementNetwork:
    """Tells faces from everything else, one square at a time."""

    def __init__(self, path: Path | None = None, threads: int = 1) -> None:
        """Opens the network.

        Args:
            path: The .tflite file or its contract; None for the network that comes with the package.
            threads: Processor threads.

        Raises:
            ModelError: a file is missing, damaged or not what its contract describes.
            MissingDependencyError: no TFLite runtime is installed.
        """
        self._network = Network.open(path, "refinement", threads)
        contract = self._network.contract
        self.name, self._size, self._temperature = contract.name, contract.size, contract.temperature

    def refine(self, gray: Gray, candidate: Candidate) -> Candidate:
        """Judges a square and moves it to the face.

        Args:
            gray: (H, W) uint8.
            candidate: A square, up to a third of its side away from the face.

        Returns:
            The moved square with the confidence that a face is there; 0 where the centre lies outside the
            frame, or the side is several times the frame's, before or after the move.
        """
        if not _is_inside(candidate, gray) or candidate.side < 1:
            return Candidate(candidate.x, candidate.y, candidate.side, 0.0)
        box = candidate.box()
        x, y, side, _ = box
        network = self._network
        crop = normalize_contrast(crop_square(gray, box, self._size, _FRAMING))
        codes = network.run(crop).tolist()
        mirrored = network.run(cast("Gray", cv2.flip(crop, 1))).tolist()
        # The mean of both: a face is as much a face in a mirror, with dx and the roll turned round.
        half, zero_point = network.scale / 2, network.zero_point
        logit, dx, dy, growth, sine, cosine, yaw = [
            half * ((code - zero_point) + sign * (other - zero_point))
            for code, other, sign in zip(codes, mirrored, _SIGNS, strict=True)
        ]
        found = Candidate(
            x + side * (0.5 + dx / REFINEMENT_SHIFT_SCALE),
            y + side * (0.5 + dy / REFINEMENT_SHIFT_SCALE),
            side * math.exp(growth / REFINEMENT_SIZE_SCALE),
            1 / (1 + math.exp(-logit / self._temperature)),
            math.degrees(math.atan2(sine, cosine)),
            max(0.0, yaw / YAW_SCALE),
        )
        # Nothing can be cut around a face outside the frame, and nothing should be around a giant.
        return found if _is_inside(found, gray) else found._replace(confidence=0.0)


def _is_inside(square: Candidate, gray: Gray) -> bool:
    """Whether the centre of a square lies in the frame, and its side is that of a face there."""
    height, width = gray.shape
    # To cut out a much larger square, as a bad network may propose, would take all memory.
    is_a_face: bool = square.side <= _MOST_SIDES * max(height, width)
    return is_a_face and 0 <= square.x < width and 0 <= square.y < height
