"""Keeps a connection to a broker, for months: a thread that begins anew when it is lost, later each time."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterable, Sequence

from edge.errors import ConfigError
from edge.output.mqtt import messages
from edge.output.mqtt.backoff import Trouble
from edge.output.mqtt.client import make_client
from edge.output.mqtt.faults import Fault
from edge.output.mqtt.messages import Message
from edge.output.mqtt.outbox import Outbox
from edge.output.mqtt.session import Hear, Session
from edge.output.mqtt.settings import MqttSettings

logger = logging.getLogger(__name__)

_CLOSE_S = 2.0


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
            session.step(self._wake, self._hear)
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

    def _unwanted(self, topic: str, text: str) -> None:
        if topic not in self._refused:
            self._refused.add(topic)
            logger.warning("MQTT broker %s:%d: %s", *self._settings.address, text)
