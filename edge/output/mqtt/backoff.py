"""How long to wait before the next attempt to connect."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

_FIRST_S, _LONGEST_S = 2.0, 40.0
# A thousand devices that lost one broker must not come back at the same moment.
_JITTER = (0.5, 1.5)
# The delays start anew after a connection that lasted for so long.
_STABLE_S = 30.0
# After a suspicious loss. More than the longest delay: two clients of one name end each other's connections,
# and each would take the delay of the other for a stable connection of its own.
_LONG_STABLE_S = 120.0
# 2 s doubled so often is longer than any delay; more would only make a large number.
_MOST_DOUBLINGS = 30
# Further ones for a suspicious loss that follows another fault.
_STEEP_DOUBLINGS = 2


class Backoff:
    """Exponential back-off with jitter.

    The delay doubles with every attempt that fails or whose connection is lost soon, up to 40 s, and is then
    multiplied by a random factor from 0.5 to 1.5. It grows faster after losses that will repeat themselves.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        """Starts without a connection and with the shortest delay.

        Args:
            clock: Returns seconds; monotonic.
            uniform: Returns a random number between its two arguments.
        """
        self._clock = clock
        self._uniform = uniform
        self._failures = 0
        self._connected_s: float | None = None

    def connected(self) -> None:
        """Notes that the broker has accepted a connection."""
        self._connected_s = self._clock()

    def disconnected(
        self, *, suspicious: bool = False, longest: bool = False, remedied: bool = False
    ) -> float:
        """Notes that the connection was lost, or that an attempt failed.

        Args:
            suspicious: The next connection may end in the same way: if this one followed a fault itself, the
                delay is 8 times as long as that before, instead of twice.
            longest: Use the longest delay, however few attempts failed.
            remedied: The next connection avoids what ended this one: use the shortest delay, and let others
                grow on from where they were.

        Returns:
            Seconds to wait before the next attempt.
        """
        if remedied:
            self._connected_s = None
            return _FIRST_S * self._uniform(*_JITTER)
        stable_s = _LONG_STABLE_S if suspicious else _STABLE_S
        if self._connected_s is not None and self._clock() - self._connected_s >= stable_s:
            self._failures = 0
        elif suspicious and self._failures:
            self._failures += _STEEP_DOUBLINGS
        self._connected_s = None
        delay_s = _LONGEST_S if longest else min(_FIRST_S * 2**self._failures, _LONGEST_S)
        self._failures = min(self._failures + 1, _MOST_DOUBLINGS)
        return delay_s * self._uniform(*_JITTER)
