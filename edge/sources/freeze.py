"""Whether a camera repeats itself: a driver that is stuck may hand out its last picture for ever."""

from __future__ import annotations

from collections.abc import Callable

from edge.types import Gray

# Every so many pixels in both directions are compared. A sensor's noise changes some of 1200 at once.
_STEP = 16
# A covered lens is as black in every picture, and no fault.
_LEAST_CONTRAST = 16


class FreezeDetector:
    """Remembers the last picture that was another one."""

    def __init__(self, limit_s: float, clock: Callable[[], float]) -> None:
        """Has seen nothing yet.

        Args:
            limit_s: seconds of one and the same picture from which on it is stuck; 0 for never.
            clock: seconds, never falling.
        """
        self._limit_s = limit_s
        self._clock = clock
        self._sample = b""
        self._since_s = clock()

    def is_frozen(self, gray: Gray) -> bool:
        """Whether this picture, (H, W) uint8, is the same as all of the last `limit_s`."""
        if not self._limit_s:
            return False
        part = gray[::_STEP, ::_STEP]
        sample = part.tobytes()
        if sample != self._sample:
            self._sample, self._since_s = sample, self._clock()
            return False
        return self._clock() - self._since_s >= self._limit_s and int(part.max()) - int(part.min()) >= (
            _LEAST_CONTRAST
        )
