"""How long to wait before the next connection, and what a person is told of the last."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable

from edge.output.mqtt.faults import Fault
from edge.output.mqtt.throttle import LogThrottle

logger = logging.getLogger(__name__)

_FIRST_S, _LAST_S = 2.0, 40.0
# A thousand devices that lost one broker must not come back in one moment.
_SPREAD = (0.5, 1.5)
# A connection that held for so long is none that is lost as soon as it is there.
_HELD_S = 30.0
# One that held for so long ended the trouble before it; until then a few losses are told of, and no more.
_STEADY_S = 120.0
_LOSSES = 3
_REMIND_S = 3600.0


class Trouble:
    """Counts attempts and losses; each thing is told once.

    A reminder comes every hour. A connection that comes and goes is told of three times.
    """

    def __init__(
        self,
        name: str,
        clock: Callable[[], float] = time.monotonic,
        spread: Callable[[float, float], float] = random.uniform,
    ) -> None:
        """There is no connection yet, and no trouble.

        Args:
            name: of the broker, for people.
            clock: seconds, never falling.
            spread: a number between two.
        """
        self._name = name
        self._clock = clock
        self._spread = spread
        self._said = LogThrottle(_REMIND_S, clock)
        self._failures = 0
        self._losses = 0
        self._up_s: float | None = None  # since when there is a connection
        self._away_s: float | None = None  # since when there was none; None where nothing is to be told of it
        self._told = False  # whether it was said that there is one

    def connected(self) -> None:
        """The broker accepted the connection."""
        self._up_s, self._told = self._clock(), False
        if self._losses < _LOSSES:
            self._tell()

    def holds(self) -> None:
        """The connection is still there; called now and then."""
        if self._up_s is None:
            return
        held_s = self._clock() - self._up_s
        if held_s >= _HELD_S:
            self._failures = 0
        if held_s >= _STEADY_S:
            self._losses = 0
            if not self._told:
                self._tell()

    def ended(self, fault: Fault) -> float:
        """There is none, or none any more.

        Returns:
            Seconds to wait before the next attempt.
        """
        self.holds()
        lost, self._up_s = self._up_s is not None, None
        self._losses += lost
        self._away_s = self._clock() if self._away_s is None else self._away_s
        if lost and self._losses > _LOSSES:
            self._tell_of(Fault("connections lost"), "again")
        else:
            self._tell_of(fault, fault.text)
        # Two devices of one name would throw each other out as fast as they can.
        wait_s = _LAST_S if fault.rival else min(_FIRST_S * 2**self._failures, _LAST_S)
        self._failures = min(self._failures + 1, 30)
        return wait_s * self._spread(*_SPREAD)

    def _tell_of(self, fault: Fault, kind: str) -> None:
        unsaid = self._said.due(kind)
        if unsaid is None:
            return
        text = fault.text + (f" ({unsaid} times more in the last hour)" if unsaid else "")
        if self._losses == _LOSSES and self._said.due("again") is not None:
            text += f"; it comes and goes, of which no more is said for now; {fault.again}".rstrip("; ")
        text += " Trying again" if text.endswith("?") else "; trying again"
        logger.log(
            logging.ERROR if fault.refused else logging.WARNING, "MQTT broker %s: %s", self._name, text
        )

    def _tell(self) -> None:
        after = "" if self._away_s is None else f" again, after {self._clock() - self._away_s:.0f} s"
        logger.info("MQTT broker %s: connected%s", self._name, after)
        self._told, self._away_s = True, None
        self._said.forget()
