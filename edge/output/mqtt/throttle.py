"""What happens often is said seldom."""

from __future__ import annotations

import time
from collections.abc import Callable


class LogThrottle:
    """Lets each kind of thing be said once in a while, and counts it meanwhile.

    Kinds are few: whoever makes one of what a stranger sends fills the memory.
    """

    def __init__(self, every_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Nothing was said yet.

        Args:
            every_s: seconds from one time to the next.
            clock: seconds, never falling.
        """
        self._every_s = every_s
        self._clock = clock
        self._said: dict[str, tuple[float, int]] = {}  # when, and how often it was not said since

    def due(self, kind: str) -> int | None:
        """How often it happened without being said, where it may be said now; None where it may not."""
        now_s = self._clock()
        said_s, unsaid = self._said.get(kind, (-float("inf"), 0))
        if now_s - said_s < self._every_s:
            self._said[kind] = said_s, unsaid + 1
            return None
        self._said[kind] = now_s, 0
        return unsaid

    def forget(self) -> None:
        """All may be said again."""
        self._said.clear()
