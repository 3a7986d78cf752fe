"""Keeps a device connected to a broker for months."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence

from edge.errors import ConfigError
from edge.output.mqtt.backoff import Backoff
from edge.output.mqtt.client import make_client
from edge.output.mqtt.connection_log import ConnectionLog
from edge.output.mqtt.faults import Fault
from edge.output.mqtt.messages import Message
from edge.output.mqtt.outbox import Outbox
from edge.output.mqtt.session import MessageHandler, Session
from edge.output.mqtt.settings import MqttSettings

logger = logging.getLogger(__name__)

_CLOSE_S = 2.0


class Connection:
    """Publishes messages to a broker and receives others, in a thread of its own.

    When the connection is lost, the thread connects again, with growing delays and for ever.
    """

    def __init__(
        self,
        settings: MqttSettings,
        topics: Sequence[str],
        on_message: MessageHandler,
        online: Callable[[], Message],
        backoff: Backoff | None = None,
    ) -> None:
        """Prepares the connection; `start` begins to connect.

        Args:
            settings: Settings of the connection; `host` must not be empty.
            topics: Topics to subscribe to.
            on_message: Called in the connection's thread with topic and payload of every message received.
            online: Called in the connection's thread when the broker has accepted a connection; returns the
                message to publish after all retained ones.
            backoff: Delays between attempts; None for the default ones.

        Raises:
            ConfigError: a certificate, key or password file cannot be used.
        """
        make_client(settings)
        self._settings = settings
        self._topics = topics
        self._on_message = on_message
        self._online = online
        self._backoff = backoff or Backoff()
        self._log = ConnectionLog("{}:{}".format(*settings.address))
        self._refused_topics: set[str] = set()
        self._outbox = Outbox(settings.queue)
        self._wake_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="MQTT", daemon=True)

    def start(self) -> None:
        """Begins to connect, and returns at once. What was published before is sent first."""
        self._thread.start()

    @property
    def dropped(self) -> int:
        """Number of messages that were given up."""
        return self._outbox.dropped

    @property
    def unsent(self) -> int:
        """Number of messages that wait to be sent."""
        return len(self._outbox)

    @property
    def is_alive(self) -> bool:
        """Whether the thread is running; it ends early only because of an error in this program."""
        return self._thread.is_alive()

    def publish(self, new: Iterable[Message]) -> None:
        """Queues messages and returns at once."""
        self._outbox.put(new)
        self._wake()

    def publish_retained_again(self) -> None:
        """Queues the latest retained message of each topic, as on a new connection, and returns at once."""
        self._outbox.repeat_retained()
        self._wake()

    def close(self, last: Message) -> None:
        """Sends what is queued if there is a connection, for two seconds at most, and ends the thread.

        Further calls do nothing.

        Args:
            last: Sent after everything else. Without the time for it, the broker publishes the last will.
        """
        if self._closing.is_set():
            return
        self._outbox.finish(last)
        self._closing.set()
        os.eventfd_write(self._wake_fd, 1)
        self._thread.join(_CLOSE_S + 1.0)
        if self._thread.is_alive():  # it still uses the file descriptor, which therefore stays open
            logger.warning("MQTT: an attempt to connect is still under way; it is abandoned")
        else:
            os.close(self._wake_fd)

    def _wake(self) -> None:
        if not self._closing.is_set():
            os.eventfd_write(self._wake_fd, 1)

    def _run(self) -> None:
        while not self._closing.is_set():
            fault = self._run_session()
            if not self._closing.is_set():
                self._log.disconnected(fault)
                # Two devices of one name would otherwise take over each other's connection all the time.
                self._closing.wait(self._backoff.disconnected(longest=fault.taken_over))

    def _run_session(self) -> Fault:
        """Connects once and exchanges messages until the connection ends; returns the reason."""
        try:
            session = Session(self._settings, self._outbox, self._topics, self._log_refused)
        except ConfigError as error:  # for example a certificate that is being renewed
            return Fault(str(error))
        session.connect()
        give_up_s = float("inf")
        while session.fault is None:
            was_connected = session.is_connected
            session.step(self._wake_fd, self._on_message)
            if session.is_connected and not was_connected:
                self._backoff.connected()
                self._log.connected()
                self._outbox.connected(self._online())
                os.eventfd_write(self._wake_fd, 1)
            self._log.still_connected()
            if self._closing.is_set():
                give_up_s = min(give_up_s, time.monotonic() + _CLOSE_S)
                if not session.is_connected or session.is_flushed() or time.monotonic() > give_up_s:
                    break
        session.close()
        self._outbox.disconnected()
        return session.fault or Fault("closed")

    def _log_refused(self, topic: str, text: str) -> None:
        if topic not in self._refused_topics:
            self._refused_topics.add(topic)
            logger.warning("MQTT broker %s:%d: %s", *self._settings.address, text)
