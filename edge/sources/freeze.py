"""Detects a frozen camera: a driver that is stuck may deliver its last frame for ever."""

from __future__ import annotations

from collections.abc import Callable

from edge.types import Gray

# Every 16th pixel in both directions is compared, 1200 of 640x480: a sensor's noise changes some of them.
_STEP = 16
# The frames of a covered lens are equally black, which is no fault.
_MIN_CONTRAST = 16


class FreezeDetector:
    """Compares each frame with the last one that differed from its predecessor."""

    def __init__(self, limit_s: float, clock: Callable[[], float]) -> None:
        """Starts without a frame.

        Args:
            limit_s: Seconds of identical frames after which the camera is frozen; 0 for never.
            clock: Returns monotonic seconds.
        """
        self._limit_s = limit_s
        self._clock = clock
        self._sample = b""
        self._since_s = clock()

    def is_frozen(self, gray: Gray) -> bool:
        """Returns whether a frame, (H, W) uint8, equals all frames of the last `limit_s` seconds."""
        if not self._limit_s:
            return False
        pixels = gray[::_STEP, ::_STEP]
        sample = pixels.tobytes()
        if sample != self._sample:
            self._sample, self._since_s = sample, self._clock()
            return False
        contrast = int(pixels.max()) - int(pixels.min())
        return self._clock() - self._since_s >= self._limit_s and contrast >= _MIN_CONTRAST
