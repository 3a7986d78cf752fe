"""Keeps frequent events from filling the log."""

from __future__ import annotations

import time
from collections.abc import Callable


class LogThrottle:
    """Allows one log line per kind of event and interval, and counts the events in between.

    The number of kinds must be small and fixed: a kind made from received data would let a stranger fill the
    memory.
    """

    def __init__(self, interval_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Starts with no kind logged.

        Args:
            interval_s: Seconds between two lines of one kind.
            clock: Returns seconds; monotonic.
        """
        self._interval_s = interval_s
        self._clock = clock
        self._kinds: dict[str, tuple[float, int]] = {}  # when it was last logged, events since

    def due(self, kind: str) -> int | None:
        """Counts an event and decides whether to log it.

        Args:
            kind: Kind of event.

        Returns:
            The number of events of this kind since the last line if a line is due now, else None.
        """
        now_s = self._clock()
        logged_s, suppressed = self._kinds.get(kind, (-float("inf"), 0))
        if now_s - logged_s < self._interval_s:
            self._kinds[kind] = logged_s, suppressed + 1
            return None
        self._kinds[kind] = now_s, 0
        return suppressed

    def reset(self) -> None:
        """Makes the next event of every kind due."""
        self._kinds.clear()
