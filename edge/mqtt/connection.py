"""Keeps a connection to a broker, for months: a thread that begins anew when it is lost, later each time."""

from __future__ import annotations

import logging
import os
import random
import threading
import time
from collections.abc import Callable, Iterable, Sequence

from edge.errors import ConfigError
from edge.mqtt import messages
from edge.mqtt.client import make_client
from edge.mqtt.faults import Fault
from edge.mqtt.messages import Message
from edge.mqtt.outbox import Outbox
from edge.mqtt.seldom import Seldom
from edge.mqtt.session import Hear, Session
from edge.mqtt.settings import MqttSettings

logger = logging.getLogger(__name__)

_CLOSE_S = 2.0
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
    """How long to wait before the next attempt, and what a person is told of the last: each thing once.

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
        self._said = Seldom(_REMIND_S, clock)
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


class Connection:
    """Says to a broker what it is given, whenever there is one, and tells what it hears."""

    def __init__(self, settings: MqttSettings, topics: Sequence[str], hear: Hear) -> None:
        """Begins to connect and returns at once; a broker that is away is tried again for ever.

        Args:
            settings: the connection's; `host` is not empty.
            topics: that are listened to.
            hear: is told topic and payload of what came, in another thread.

        Raises:
            ConfigError: a certificate, key or password cannot be read.
        """
        make_client(settings)
        self._settings = settings
        self._topics = topics
        self._hear = hear
        self._refused: set[str] = set()
        self._outbox = Outbox(settings.queue)
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="MQTT", daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> int:
        """Messages that nobody will hear."""
        return self._outbox.dropped

    @property
    def unsent(self) -> int:
        """Messages that wait."""
        return len(self._outbox)

    @property
    def alive(self) -> bool:
        """Whether there is somebody who sends them."""
        return self._thread.is_alive()

    def say(self, new: Iterable[Message], *, repeat: bool = True) -> None:
        """Says something as soon as there is somebody to say it to; never waits.

        Args:
            new: what.
            repeat: whether also what the broker keeps already.
        """
        self._outbox.put(message for message in new if repeat or not self._outbox.keeps(message))
        if not self._closing.is_set():
            os.eventfd_write(self._wake, 1)

    def close(self) -> None:
        """Says what is left where the broker is there, within two seconds; may be called again."""
        if self._closing.is_set():
            return
        self._closing.set()
        os.eventfd_write(self._wake, 1)
        self._thread.join(_CLOSE_S + 1.0)
        if self._thread.is_alive():  # its file stays open with it
            logger.warning("MQTT: an attempt to connect is still under way; it is abandoned")
        else:
            os.close(self._wake)

    def _run(self) -> None:
        trouble = Trouble("{}:{}".format(*self._settings.address))
        while not self._closing.is_set():
            fault = self._hold(trouble)
            if not self._closing.is_set():
                self._closing.wait(trouble.ended(fault))

    def _hold(self, trouble: Trouble) -> Fault:
        """One connection; gives why it ended."""
        try:
            session = Session(self._settings, self._outbox, self._topics, self._unwanted)
        except ConfigError as error:  # a file that is gone, or a certificate that is being renewed
            return Fault(str(error))
        session.connect()
        until_s = float("inf")
        while session.fault is None:
            before = session.accepted
            session.step(self._wake, self._heard)
            if session.accepted and not before:
                trouble.connected()
                self._outbox.connected(messages.status(self._settings, messages.ONLINE))
                os.eventfd_write(self._wake, 1)
            trouble.holds()
            if self._closing.is_set():
                until_s = min(until_s, time.monotonic() + _CLOSE_S)
                if not session.accepted or session.idle() or time.monotonic() > until_s:
                    break
        session.close()
        self._outbox.lost(session.underway.values())
        return session.fault or Fault("closed")

    def _heard(self, topic: str, payload: bytes) -> None:
        self._hear(topic, payload)

    def _unwanted(self, topic: str, text: str) -> None:
        if topic not in self._refused:
            self._refused.add(topic)
            logger.warning("MQTT broker %s:%d: %s", *self._settings.address, text)
