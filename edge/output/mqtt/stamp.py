"""Marks messages with their time and their place in the order of a run."""

from __future__ import annotations

import secrets
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone

from edge.system.clock import ClockState, clock_state

_RUN_BYTES = 6


def _now() -> datetime:
    return datetime.now(timezone.utc)


@dataclass(frozen=True)
class Stamp:
    """When a message was made, and where it stands.

    Attributes:
        at: Time in UTC, as in RFC 3339, with milliseconds.
        run: Random name of the run.
        seq: Number of the message among those of its topic and run, from 1.
        clock: Whether the clock behind `at` had been set from another one.
    """

    at: str
    run: str
    seq: int
    clock: ClockState

    @property
    def key(self) -> str:
        """Names the message among those of its topic; no two messages have the same."""
        return f"{self.run}-{self.seq}"

    def fields(self) -> dict[str, str | int]:
        """Returns the fields of a payload; `clock` only if the clock may be wrong."""
        fields: dict[str, str | int] = {"at": self.at, "run": self.run, "seq": self.seq}
        return fields if self.clock == "synchronized" else fields | {"clock": self.clock}


class Stamper:
    """Makes the stamps of one run; may be used by any thread.

    Each topic is counted by itself, so that a gap in its numbers is a message that was given up.
    """

    def __init__(
        self, now: Callable[[], datetime] = _now, clock: Callable[[], ClockState] = clock_state
    ) -> None:
        """Chooses the name of the run.

        Args:
            now: Returns the time in UTC.
            clock: Returns whether that time can be believed.
        """
        self._run = secrets.token_hex(_RUN_BYTES)
        self._now = now
        self._clock = clock
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def stamp(self, name: str) -> Stamp:
        """Returns the next stamp of a topic, given by its last part."""
        with self._lock:
            self._counts[name] += 1
            at = self._now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
            return Stamp(at, self._run, self._counts[name], self._clock())
