"""Measures how bright the frames are, and logs when they are black: with a covered lens nobody is found."""

from __future__ import annotations

import logging

from edge.types import Gray

logger = logging.getLogger(__name__)

# Every 16th pixel in both directions, once a second: the mean of 1200 pixels is exact enough.
_STEP = 16
_INTERVAL_S = 1.0
# A covered lens is darker in spite of its noise, also where black is 16 of 255 as in video; a room at dusk
# is not.
_BLACK = 0.08
_BLACK_S = 10.0


class BrightnessMonitor:
    """Measures brightness once a second, and logs when frames turn black and when that is over.

    Attributes:
        level: Mean of the last measured frame, 0 (black) to 1 (white).
    """

    def __init__(self) -> None:
        self.level = 0.0
        self._due_s = -float("inf")
        self._black_since_s: float | None = None
        self._is_black = False

    def update(self, gray: Gray, at_s: float) -> float:
        """Measures a frame if a second has passed since the last measurement.

        Args:
            gray: (H, W) uint8.
            at_s: Capture time in seconds, never falling.

        Returns:
            `level`.
        """
        if at_s >= self._due_s:
            self._due_s = at_s + _INTERVAL_S
            self.level = float(gray[::_STEP, ::_STEP].mean()) / 255
            self._log_black(at_s)
        return self.level

    def _log_black(self, at_s: float) -> None:
        if self.level >= _BLACK:
            if self._is_black:
                logger.info("the pictures are bright again")
            self._black_since_s, self._is_black = None, False
            return
        if self._black_since_s is None:
            self._black_since_s = at_s
        if at_s - self._black_since_s >= _BLACK_S and not self._is_black:
            self._is_black = True
            logger.warning("the pictures are black: is the lens covered, or is it night?")
