"""How light the pictures are: a lens that is covered, or a night, finds nobody and says nothing of why."""

from __future__ import annotations

import logging

from edge.types import Gray

logger = logging.getLogger(__name__)

# Every so many pixels in both directions are looked at, so often; the mean of 1200 is exact enough.
_STEP = 16
_LOOK_S = 1.0
# A covered lens with all its noise has less, also where black is 16 of 255 as in video; a room at dusk has
# more.
_BLACK = 0.08
_BLACK_S = 10.0


class BrightnessMonitor:
    """Measures pictures once a second, and logs when they turn black and when that is over.

    Attributes:
        level: mean of the last picture that was measured, 0 (black) to 1 (white).
    """

    def __init__(self) -> None:
        self.level = 0.0
        self._due_s = -float("inf")
        self._black_since_s: float | None = None
        self._said = False

    def update(self, gray: Gray, at_s: float) -> float:
        """Measures a picture if a second has passed.

        Args:
            gray: (H, W) uint8.
            at_s: seconds, never falling.

        Returns:
            The level.
        """
        if at_s >= self._due_s:
            self._due_s = at_s + _LOOK_S
            self.level = float(gray[::_STEP, ::_STEP].mean()) / 255
            self._judge(at_s)
        return self.level

    def _judge(self, at_s: float) -> None:
        if self.level >= _BLACK:
            if self._said:
                logger.info("the pictures are light again")
            self._black_since_s, self._said = None, False
            return
        if self._black_since_s is None:
            self._black_since_s = at_s
        if at_s - self._black_since_s >= _BLACK_S and not self._said:
            self._said = True
            logger.warning("the pictures are black: is the lens covered, or is it night?")
