"""What the log says about a connection that comes and goes for months."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from edge.output.mqtt.faults import Fault
from edge.output.mqtt.throttle import LogThrottle

logger = logging.getLogger(__name__)

_REMINDER_S = 3600.0
# After so many losses without a stable connection in between, losses and connections are no longer logged.
_MOST_LOSSES = 3
# A connection that lasted for so long is stable.
_STABLE_S = 120.0


class ConnectionLog:
    """Logs changes of a connection, each fault once and then hourly.

    A connection that is lost again and again is logged three times, and then not until it is stable.
    """

    def __init__(self, broker: str, clock: Callable[[], float] = time.monotonic) -> None:
        """Starts without a connection and without a fault.

        Args:
            broker: Address of the broker, as it is logged.
            clock: Returns seconds; monotonic.
        """
        self._broker = broker
        self._clock = clock
        self._throttle = LogThrottle(_REMINDER_S, clock)
        self._losses = 0  # since the last stable connection
        self._connected_s: float | None = None
        self._disconnected_s: float | None = None  # of the first fault since "connected" was logged
        self._logged_connected = False

    def connected(self) -> None:
        """Logs that the broker has accepted a connection, unless it was lost too often."""
        self._connected_s, self._logged_connected = self._clock(), False
        if self._losses < _MOST_LOSSES:
            self._log_connected()

    def still_connected(self) -> None:
        """Checks whether the connection is stable by now; must be called every few seconds."""
        if self._connected_s is None or self._clock() - self._connected_s < _STABLE_S:
            return
        self._losses = 0
        if not self._logged_connected:
            self._log_connected()

    def disconnected(self, fault: Fault) -> None:
        """Logs why a connection was lost, or why an attempt failed, unless that was logged already."""
        self.still_connected()
        lost, self._connected_s = self._connected_s is not None, None
        self._losses += lost
        if self._disconnected_s is None:
            self._disconnected_s = self._clock()
        if lost and self._losses > _MOST_LOSSES:
            self._log_fault(Fault("connections lost"), "repeated")
        else:
            self._log_fault(fault, fault.text)

    def _log_fault(self, fault: Fault, kind: str) -> None:
        suppressed = self._throttle.due(kind)
        if suppressed is None:
            return
        text = fault.text + (f" ({suppressed} times more in the last hour)" if suppressed else "")
        if self._losses == _MOST_LOSSES and self._throttle.due("repeated") is not None:
            text += "; it comes and goes, so further losses are not logged for now"
            text += f"; {fault.repeated_hint}" if fault.repeated_hint else ""
        text += " Trying again" if text.endswith("?") else "; trying again"
        level = logging.ERROR if fault.refused else logging.WARNING
        logger.log(level, "MQTT broker %s: %s", self._broker, text)

    def _log_connected(self) -> None:
        after = ""
        if self._disconnected_s is not None:
            after = f" again, after {self._clock() - self._disconnected_s:.0f} s"
        logger.info("MQTT broker %s: connected%s", self._broker, after)
        self._logged_connected, self._disconnected_s = True, None
        self._throttle.reset()
