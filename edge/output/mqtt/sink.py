"""Publishes reports to an MQTT broker and takes commands from it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from edge.errors import OutputError
from edge.output.mqtt import home_assistant, messages
from edge.output.mqtt.backoff import Backoff
from edge.output.mqtt.connection import Connection
from edge.output.mqtt.messages import Message
from edge.output.mqtt.reporter import Reporter
from edge.output.mqtt.settings import HOME_ASSISTANT, MqttSettings
from edge.output.mqtt.stamp import Stamper
from edge.output.mqtt.throttle import LogThrottle
from edge.output.sink import IdleReason, Sink, raise_if_closed
from edge.types import Frame, Report

logger = logging.getLogger(__name__)

_LOGGED_COMMAND_BYTES = 16
# A client that may write to this device's topics may do so a thousand times a second.
_LOG_INTERVAL_S = 10.0
# Home Assistant says there that it was started, whatever its prefix of discovery topics is.
_BIRTH_TOPIC = f"{HOME_ASSISTANT}/status"


class MqttSink(Sink):
    """Publishes reports to a broker and takes commands from it; no method waits for the network."""

    def __init__(  # noqa: PLR0913 - all but the first have defaults
        self,
        settings: MqttSettings,
        switch: Callable[[bool], None] = lambda on: None,
        clock: Callable[[], float] = time.monotonic,
        *,
        reading: bool = True,
        aiming: bool = False,
        backoff: Backoff | None = None,
    ) -> None:
        """Starts to connect and returns at once; the connection is retried for ever.

        Args:
            settings: Settings of the connection; `host` must not be empty.
            switch: Called in another thread when a command switches reading on (True) or off (False).
            clock: Returns seconds; monotonic.
            reading: Whether faces are read until a command changes that.
            aiming: Whether a page shows what the camera sees until this sink is closed. No command opens it.
            backoff: Delays between attempts to connect; None for the default ones.

        Raises:
            ConfigError: a certificate, key or password file cannot be used.
        """
        self._settings = settings
        self._switch = switch
        self._clock = clock
        self._stamper = Stamper()
        self._reporter = Reporter(settings, self._stamper)
        self._throttle = LogThrottle(_LOG_INTERVAL_S, clock)
        self._lock = threading.Lock()  # guards all below, because commands arrive in another thread
        self._camera = messages.OFFLINE
        self._reading = reading
        self._aiming = aiming
        self._closed = False
        self._command_topic = settings.topic("enabled/set")
        topics = [self._command_topic, *([_BIRTH_TOPIC] if settings.discovery else [])]
        self._connection = Connection(
            settings, topics, self._on_message, lambda: self._status(messages.ONLINE), backoff
        )
        # Replaces what an earlier run left on the broker if it was killed. The camera comes first: while it
        # is offline, nobody believes the rest.
        self._publish_camera(messages.OFFLINE)
        self._connection.publish(self._reporter.everybody_left(clock()))
        self._publish_reading(on=reading)
        self._publish_aiming(on=aiming)
        self._announce()
        self._connection.start()

    @property
    def dropped(self) -> int:
        """Number of messages that were given up."""
        return self._connection.dropped

    @property
    def unsent(self) -> int:
        """Number of messages that wait to be sent."""
        return self._connection.unsent

    def send(self, frame: Frame, report: Report) -> None:
        """Queues the messages that are due after a report; ignores the frame.

        Raises:
            OutputError: the sink is closed, or its thread has ended because of an error in this program.
        """
        raise_if_closed(self, self._closed)
        if not self._connection.is_alive:
            raise OutputError("MQTT: its thread died; the traceback above says why")
        extra_stats = {"unsent": self._connection.unsent, "lost": self._connection.dropped}
        with self._lock:
            self._set_camera_online()
            # A frame that was being processed when reading was switched off must not be published.
            if self._reading:
                self._connection.publish(self._reporter.messages(report, self._clock(), extra_stats))

    def idle(self, reason: IdleReason) -> None:
        """Publishes that the camera is gone, or that it delivers while reading is switched off."""
        if reason == "gone":
            self._set_camera_offline()
        elif reason == "off":
            with self._lock:
                self._set_camera_online()

    def set_reading(self, *, on: bool) -> None:
        """Publishes, if it is new, whether faces are read and, if they are not, that nobody is present."""
        with self._lock:
            if on == self._reading:
                return
            self._reading = on
            if not on:
                self._connection.publish(self._reporter.everybody_left(self._clock()))
            self._publish_reading(on=on)

    def close(self) -> None:
        """Publishes that the device goes offline, for two seconds at most; further calls do nothing."""
        if self._closed:
            return
        self._set_camera_offline()
        if self._aiming:
            self._publish_aiming(on=False)
        self._closed = True
        self._connection.close(self._status(messages.OFFLINE))

    def _status(self, text: str) -> Message:
        return messages.status(self._settings, text, self._stamper.stamp("status"))

    def _publish_reading(self, *, on: bool) -> None:
        stamp = self._stamper.stamp("enabled/state")
        self._connection.publish([messages.enabled(self._settings, stamp, on=on)])

    def _publish_aiming(self, *, on: bool) -> None:
        self._connection.publish([messages.aiming(self._settings, self._stamper.stamp("aim"), on=on)])

    def _publish_camera(self, text: str) -> None:
        self._camera = text
        self._connection.publish([messages.camera(self._settings, text, self._stamper.stamp("camera"))])

    def _set_camera_online(self) -> None:
        """Publishes that the camera delivers, if that is new; the caller must hold the lock."""
        if self._camera != messages.ONLINE:
            self._publish_camera(messages.ONLINE)

    def _set_camera_offline(self) -> None:
        """Publishes, if it is new, that the camera is gone, and that nobody is present."""
        with self._lock:
            if self._camera != messages.OFFLINE:
                self._connection.publish(self._reporter.everybody_left(self._clock()))
                self._publish_camera(messages.OFFLINE)

    def _on_message(self, topic: str, payload: bytes) -> None:
        if topic == self._command_topic:
            self._obey(payload)
        elif payload == messages.ONLINE.encode() and self._throttle.due("birth") is not None:
            # Home Assistant was started: first what there is, then how it is.
            self._announce()
            self._connection.publish_retained_again()

    def _obey(self, payload: bytes) -> None:
        on = messages.parse_enabled(payload)
        if on is None:
            suppressed = self._throttle.due("not a command")
            if suppressed is not None:
                more = f" ({suppressed} more like it)" if suppressed else ""
                start = payload[:_LOGGED_COMMAND_BYTES]
                logger.warning("MQTT: %s %r: expected ON or OFF%s", self._command_topic, start, more)
            return
        # A retained command arrives with every new connection and is obeyed each time. A client that
        # publishes it with the retain flag, as Home Assistant's switch does, wants exactly that.
        self._switch(on)
        self.set_reading(on=on)
        if self._throttle.due(f"switched {on}") is not None:
            logger.info("MQTT: reading is switched %s", "on" if on else "off")

    def _announce(self) -> None:
        if self._settings.discovery:
            self._connection.publish([home_assistant.discovery(self._settings)])
