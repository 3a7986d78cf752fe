"""Measures how fast the loop goes."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from edge.types import Rates


class FpsMeter:
    """Rates over a sliding window of monotonic time.

    Args:
        clock: seconds, never falling.
        window_s: how far back the rates look.

    Attributes:
        clock: the one given.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, window_s: float = 5.0) -> None:
        self.clock = clock
        self._window_s = window_s
        # (seconds, pictures captured by then), one for each frame that was finished.
        self._ticks: deque[tuple[float, int]] = deque()
        self._dropped = 0

    def tick(self, captured: int, dropped: int) -> Rates:
        """Counts a finished frame.

        Args:
            captured: pictures the source delivered since the start.
            dropped: pictures of these that were never read.

        Returns:
            The rates up to now.
        """
        self._ticks.append((self.clock(), captured))
        self._dropped = dropped
        return self._rates(2)  # a loop that is held back to a frame in ten seconds has a rate, too

    def rates(self) -> Rates:
        """The rates of the last seconds; 0 where fewer than two frames were finished in them."""
        return self._rates(0)

    def _rates(self, least: int) -> Rates:
        """The same, of so many frames at least, however old they are."""
        oldest_s = self.clock() - self._window_s
        while len(self._ticks) > least and self._ticks[0][0] < oldest_s:
            self._ticks.popleft()
        if len(self._ticks) < 2:
            return Rates(0.0, 0.0, self._dropped)
        (first_s, first_captured), (last_s, last_captured) = self._ticks[0], self._ticks[-1]
        # A clock may be coarser than a loop over tiny pictures is fast.
        span_s = max(last_s - first_s, 1e-6)
        return Rates(
            (last_captured - first_captured) / span_s, (len(self._ticks) - 1) / span_s, self._dropped
        )
