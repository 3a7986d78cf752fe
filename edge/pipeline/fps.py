"""Measures frames per second."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from edge.types import Rates


class FpsMeter:
    """Rates over a sliding window of monotonic time.

    Args:
        clock: Time in seconds, never falling.
        window_s: Length of the window in seconds.

    Attributes:
        clock: The clock that was passed in.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, window_s: float = 5.0) -> None:
        self.clock = clock
        self._window_s = window_s
        # (time in seconds, frames captured by then) of each finished frame.
        self._ticks: deque[tuple[float, int]] = deque()
        self._dropped = 0

    def tick(self, captured: int, dropped: int) -> Rates:
        """Counts a finished frame.

        Args:
            captured: Frames that the source delivered since the start.
            dropped: Frames of these that were replaced before they were processed.

        Returns:
            The rates up to now.
        """
        self._ticks.append((self.clock(), captured))
        self._dropped = dropped
        return self._rates(2)  # a loop that is limited to a frame in ten seconds has a rate, too

    def rates(self) -> Rates:
        """Returns the rates of the window; 0 if fewer than two frames were finished in it."""
        return self._rates(0)

    def _rates(self, min_frames: int) -> Rates:
        """Returns the rates of the window, or of the last `min_frames` frames where it holds fewer."""
        oldest_s = self.clock() - self._window_s
        while len(self._ticks) > min_frames and self._ticks[0][0] < oldest_s:
            self._ticks.popleft()
        if len(self._ticks) < 2:
            return Rates(0.0, 0.0, self._dropped)
        (first_s, first_captured), (last_s, last_captured) = self._ticks[0], self._ticks[-1]
        # Tiny frames may take less time than the clock resolves.
        span_s = max(last_s - first_s, 1e-6)
        return Rates(
            (last_captured - first_captured) / span_s, (len(self._ticks) - 1) / span_s, self._dropped
        )
