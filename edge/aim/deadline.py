"""Ends a run after a time."""

from __future__ import annotations

import time
from collections.abc import Callable

from edge.pipeline.loop import Stop


class Deadline:
    """Ends a run when another event does, or after some seconds."""

    def __init__(self, stop: Stop, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Begins to count.

        Args:
            stop: Ends the run earlier.
            seconds: Seconds from now.
            clock: Returns seconds; monotonic.
        """
        self._stop = stop
        self._clock = clock
        self._end_s = clock() + seconds

    def left_s(self) -> float:
        """Returns the seconds that are left, 0 at least."""
        return max(0.0, self._end_s - self._clock())

    def is_set(self) -> bool:
        """Returns whether the run must end."""
        return self._stop.is_set() or self.left_s() == 0

    def wait(self, timeout: float) -> bool:
        """Waits until the run must end, for at most `timeout` seconds."""
        self._stop.wait(min(timeout, self.left_s()))
        return self.is_set()
