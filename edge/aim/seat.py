"""Lets one viewer look at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

# A viewer that has not asked for so long has left.
_LEFT_S = 5.0


class Seat:
    """The one place before the page; whoever asks first has it until it stays silent for five seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._viewer = ""
        self._seen_s = -float("inf")

    def claim(self, viewer: str) -> tuple[bool, bool]:
        """Asks for the seat, or for keeping it.

        Args:
            viewer: The name that a page has given itself.

        Returns:
            Whether the viewer has the seat, and whether it has just taken it.
        """
        with self._lock:
            now_s = self._clock()
            is_new = viewer != self._viewer
            if is_new and now_s - self._seen_s < _LEFT_S:
                return False, False
            self._viewer, self._seen_s = viewer, now_s
            return True, is_new
