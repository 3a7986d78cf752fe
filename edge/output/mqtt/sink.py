"""A sink that tells a broker what is seen, and takes its commands."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from edge.errors import OutputError
from edge.output.mqtt import home_assistant, messages
from edge.output.mqtt.connection import Connection
from edge.output.mqtt.reporter import Reporter
from edge.output.mqtt.settings import MqttSettings
from edge.output.mqtt.throttle import LogThrottle
from edge.output.sink import IdleReason, Sink, raise_if_closed
from edge.types import Frame, Report

logger = logging.getLogger(__name__)

_MOST_COMMAND_BYTES = 16
# Whoever may write to this device's topics may do so a thousand times a second.
_SELDOM_S = 10.0


class MqttSink(Sink):
    """Sends reports to a broker, and takes its commands; whoever sends never waits."""

    def __init__(
        self,
        settings: MqttSettings,
        switch: Callable[[bool], None] = lambda on: None,
        clock: Callable[[], float] = time.monotonic,
        *,
        reading: bool = True,
    ) -> None:
        """Begins to connect and returns at once; a broker that is away is tried again for ever.

        Args:
            settings: the connection's; `host` is not empty.
            switch: called in another thread when somebody switches reading on or off.
            clock: seconds, never falling.
            reading: whether faces are read, until somebody switches that.

        Raises:
            ConfigError: a certificate, key or password cannot be read.
        """
        self._settings = settings
        self._switch = switch
        self._clock = clock
        self._reporter = Reporter(settings)
        self._seldom = LogThrottle(_SELDOM_S, clock)
        self._lock = threading.Lock()  # commands come in another thread; guards all below
        self._camera = messages.OFFLINE
        self._reading = reading
        self._closed = False
        self._commands = settings.topic("enabled/set")
        births = [f"{settings.discovery}/status"] if settings.discovery else []
        with self._lock:  # a command that the broker keeps is heard at once, and goes before what holds now
            self._connection = Connection(settings, [self._commands, *births], self._hear)
            self._announce()
            self._say_reading(on=reading)

    @property
    def dropped(self) -> int:
        """Messages that nobody will hear."""
        return self._connection.dropped

    def send(self, frame: Frame, report: Report) -> None:
        """Queues what the report gives cause to say; never waits. The frame is not looked at.

        Raises:
            OutputError: the sink is closed, or broke.
        """
        raise_if_closed(self, self._closed)
        if not self._connection.alive:
            raise OutputError("MQTT: its thread died; the traceback above says why")
        extra = {"unsent": self._connection.unsent, "lost": self._connection.dropped}
        with self._lock:
            self._camera_there()
            # A picture that was in work when the command came is of a time when nobody is to be read.
            if self._reading:
                self._connection.say(self._reporter.messages(report, self._clock(), extra))

    def idle(self, reason: IdleReason) -> None:
        """Says that the camera is gone, or that pictures come which nobody is to read, once."""
        if reason == "gone":
            self._camera_gone()
        elif reason == "off":
            with self._lock:
                self._camera_there()

    def switched(self, *, on: bool) -> None:
        """Says whether faces are read, and that nobody is seen where they are not."""
        with self._lock:
            self._say_reading(on=on)

    def _say_reading(self, *, on: bool) -> None:
        self._reading = on
        if not on:
            self._connection.say(self._reporter.everybody_left(self._clock()))
        self._connection.say([messages.enabled(self._settings, on=on)], repeat=False)

    def close(self) -> None:
        """Says goodbye where the broker is there, within two seconds; may be called again."""
        if self._closed:
            return
        self._camera_gone()
        self._closed = True
        self._connection.say([messages.status(self._settings, messages.OFFLINE)])
        self._connection.close()

    def _camera_there(self) -> None:
        """Says that pictures come; whoever calls it has the lock."""
        if self._camera != messages.ONLINE:
            self._camera = messages.ONLINE
            self._connection.say([messages.camera(self._settings, self._camera)])

    def _camera_gone(self) -> None:
        """Says that there are no pictures, and so nobody."""
        with self._lock:
            if self._camera != messages.OFFLINE:
                self._camera = messages.OFFLINE
                self._connection.say(self._reporter.everybody_left(self._clock()))
            self._connection.say([messages.camera(self._settings, self._camera)], repeat=False)

    def _hear(self, topic: str, payload: bytes) -> None:
        if topic == self._commands:
            self._command(payload)
        elif payload == messages.ONLINE.encode() and self._seldom.due("birth") is not None:
            self._announce()  # Home Assistant was started

    def _command(self, payload: bytes) -> None:
        on = messages.parse_enabled(payload)
        if on is None:
            unsaid = self._seldom.due("nonsense")
            if unsaid is not None:
                more = f" ({unsaid} more like it)" if unsaid else ""
                said = payload[:_MOST_COMMAND_BYTES]
                logger.warning("MQTT: %s %r: expected ON or OFF%s", self._commands, said, more)
            return
        # A command that the broker keeps is a standing order: it comes again with every connection, and holds
        # again. Whoever publishes it with the retain flag, as Home Assistant's switch does, wants just that.
        self._switch(on)
        self.switched(on=on)
        if self._seldom.due(f"switched {on}") is not None:
            logger.info("MQTT: reading is switched %s", "on" if on else "off")

    def _announce(self) -> None:
        if self._settings.discovery:
            self._connection.say([home_assistant.discovery(self._settings)])
