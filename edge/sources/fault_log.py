"""What the log says about a camera that comes and goes for months."""

from __future__ import annotations

import logging
from collections.abc import Callable

logger = logging.getLogger(__name__)

_REMINDER_S = 3600.0
# After so many losses without stable pictures in between, losses and recoveries are no longer logged.
_MOST_LOSSES = 3
# Pictures for so long are stable.
_STABLE_S = 120.0
# Faults whose last line is remembered; their texts may hold numbers, so that there is no end of them.
_MOST_FAULTS = 8


class FaultLog:
    """Logs each fault of a camera once and then hourly, and that it delivers again.

    A camera that is lost again and again is logged three times, and then hourly until it is stable.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        """Starts without a fault.

        Args:
            clock: Returns monotonic seconds.
        """
        self._clock = clock
        self._logged_s: dict[str, float] = {}  # when each fault was last logged, since the last recovery
        self._losses = 0  # since the last stable pictures
        self._delivers_since_s: float | None = None
        self._recovery_due = False

    def delivers(self, name: str) -> None:
        """Takes note of a picture; logs once that the camera delivers again, if a fault was logged before.

        Args:
            name: Name of the camera in messages.
        """
        if self._delivers_since_s is None:
            self._delivers_since_s = self._clock()
            self._recovery_due = bool(self._logged_s)
        if not self._recovery_due:
            return
        if self._losses >= _MOST_LOSSES:
            if self._clock() - self._delivers_since_s < _STABLE_S:
                return
            self._losses = 0
        logger.info("%s: delivers again", name)
        self._recovery_due = False
        self._logged_s.clear()

    def lost(self, fault: str) -> None:
        """Logs a fault, of an opening or of pictures, unless that was logged within the hour.

        Args:
            fault: Text of the fault, with the camera's name.
        """
        now_s, since_s, self._delivers_since_s = self._clock(), self._delivers_since_s, None
        is_loss = since_s is not None
        if since_s is not None and now_s - since_s >= _STABLE_S:
            self._losses = 0
        self._losses += is_loss
        kind = "repeated" if is_loss and self._losses > _MOST_LOSSES else fault
        if now_s - self._logged_s.get(kind, -_REMINDER_S) < _REMINDER_S:
            return
        self._remember(kind, now_s)
        if is_loss and self._losses == _MOST_LOSSES:
            fault += "; it comes and goes, so further losses are logged once an hour"
            self._remember("repeated", now_s)
        logger.warning("%s; trying again", fault)

    def _remember(self, kind: str, now_s: float) -> None:
        self._logged_s[kind] = now_s
        if len(self._logged_s) > _MOST_FAULTS:
            self._logged_s.pop(min(self._logged_s, key=lambda each: self._logged_s[each]))
