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
from edge.output.mqtt.size_limit import SizeLimit
from edge.output.mqtt.throttle import LogThrottle

logger = logging.getLogger(__name__)

# At the end, what is queued is sent for so long, as long as the broker takes something at least so often.
_CLOSE_S = 2.0
_CLOSE_STALLED_S = 0.5
_CLOSE_STEP_S = 0.05
# Messages that this program cannot handle may come a thousand times a second.
_LOG_INTERVAL_S = 10.0


class _Farewell:
    """How long to go on with a connection after the program was told to end."""

    def __init__(self) -> None:
        now_s = time.monotonic()
        self._end_s = now_s + _CLOSE_S
        self._stalled_s = now_s + _CLOSE_STALLED_S
        self._before: tuple[int, int] | None = None

    def is_over(self, session: Session, unsent: int) -> bool:
        """Returns whether all is sent, the time is over, or the broker has stopped taking anything."""
        now_s, state = time.monotonic(), (unsent, len(session.in_flight))
        if state != self._before:
            self._before, self._stalled_s = state, now_s + _CLOSE_STALLED_S
        return session.is_flushed() or now_s > min(self._end_s, self._stalled_s)


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
        self._size_limit = SizeLimit(settings)
        self._throttle = LogThrottle(_LOG_INTERVAL_S)
        self._outbox = Outbox(settings.queue)
        self._is_connected = False
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
        """Sends what is queued if there is a connection, and ends the thread; further calls do nothing.

        Waits for two seconds at most, or half a second if the broker takes nothing or there is no connection.

        Args:
            last: Sent after everything else. Without the time for it, the broker publishes the last will.
        """
        if self._closing.is_set():
            return
        self._outbox.finish(last)
        self._closing.set()
        os.eventfd_write(self._wake_fd, 1)
        self._thread.join(_CLOSE_S + 1.0 if self._is_connected else _CLOSE_STALLED_S)
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
                self._closing.wait(self._delay_s(fault))

    def _run_session(self) -> Fault:
        """Connects once and exchanges messages until the connection ends; returns the reason."""
        try:
            session = Session(self._settings, self._outbox, self._topics, self._log_refused)
        except ConfigError as error:  # for example a certificate that is being renewed
            return Fault(str(error))
        session.connect()
        farewell = None
        while session.fault is None:
            was_connected = session.is_connected
            session.step(self._wake_fd, self._handle, *([_CLOSE_STEP_S] if farewell else []))
            if session.is_connected and not was_connected:
                self._note_connected(session)
            self._log.still_connected()
            if self._closing.is_set():
                farewell = farewell or _Farewell()
                if not session.is_connected or farewell.is_over(session, len(self._outbox)):
                    break
        self._is_connected = False
        session.close()
        self._outbox.disconnected()
        return self._size_limit.disconnected(session.fault or Fault("closed"), session.in_flight)

    def _note_connected(self, session: Session) -> None:
        self._is_connected = True
        self._backoff.connected()
        self._log.connected()
        self._size_limit.connected(session.largest_packet)
        self._outbox.connected(self._online(), self._size_limit.fit)
        os.eventfd_write(self._wake_fd, 1)

    def _delay_s(self, fault: Fault) -> float:
        # Two clients of one name would otherwise take over each other's connection all the time.
        return self._backoff.disconnected(
            suspicious=fault.unexplained or fault.unacknowledged,
            longest=fault.taken_over,
            remedied=fault.remedied,
        )

    def _handle(self, topic: str, payload: bytes) -> None:
        """Handles a message; an error of this program is no reason to leave the broker."""
        try:
            self._on_message(topic, payload)
        except Exception:
            suppressed = self._throttle.due("handler")
            if suppressed is not None:
                more = f" ({suppressed} more like it)" if suppressed else ""
                logger.exception("MQTT: an error in this program; a message on %s is ignored%s", topic, more)

    def _log_refused(self, topic: str, text: str) -> None:
        if topic not in self._refused_topics:
            self._refused_topics.add(topic)
            logger.warning("MQTT broker %s:%d: %s", *self._settings.address, text)
