"""The interface of a face detector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from edge.types import Box, Detection, Gray


class Detector(Protocol):
    """Interface of a face detector.

    Attributes:
        name: For messages.
        scale_bands: Number of bands of face sizes, of about equal work each, that `detect` can search one by
            one.
    """

    name: str
    scale_bands: int

    def detect(
        self, gray: Gray, exclude: Sequence[Box] = (), scale_band: int | None = None
    ) -> list[Detection]:
        """Searches a frame for faces.

        Args:
            gray: (H, W) uint8.
            exclude: Boxes of faces that need not be found again.
            scale_band: 0 to `scale_bands` - 1 to search one band of face sizes; None for all sizes.

        Returns:
            Faces and hints of faces from left to right, clipped to the frame.
        """

    def verify(self, gray: Gray, box: Box) -> Detection | None:
        """Returns the face at or near a box and of about its size, or None if there is none.

        Args:
            gray: (H, W) uint8.
            box: Where a face is expected.
        """
