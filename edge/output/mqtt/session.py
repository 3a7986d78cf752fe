"""One connection to a broker, from its beginning to its end, for one thread."""

from __future__ import annotations

import logging
import os
import select
import socket
from collections.abc import Callable, Sequence
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import LogLevel
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edge.output.mqtt import faults, messages
from edge.output.mqtt.client import make_client
from edge.output.mqtt.faults import Fault
from edge.output.mqtt.messages import Message
from edge.output.mqtt.outbox import Outbox
from edge.output.mqtt.settings import MqttSettings

logger = logging.getLogger(__name__)

# Sent and not acknowledged; more wait in the outbox, where the oldest can be dropped.
_MAX_IN_FLIGHT = 20
_TICK_S = 1.0
# A command has three letters, and Home Assistant's birth six: a broker of MQTT 5 keeps to itself what is much
# longer, so that nobody who may write there can fill this device's memory.
_LARGEST_PACKET_BYTES = 4096
# The system's own is megabytes: on a path that carries little, all that is in there comes minutes late.
_BUFFER_BYTES = 16_384

MessageHandler = Callable[[str, bytes], None]


class Session:
    """A connection.

    paho has neither thread nor queue here: what it has taken is on its way, and what waits is in the outbox.
    A new one is made for every attempt, so that certificates, password and paho's state begin anew.

    Attributes:
        is_connected: whether the broker took the connection.
        fault: why there is none, once it ended.
        in_flight: sent and not acknowledged, in the order in which they were.
    """

    def __init__(
        self,
        settings: MqttSettings,
        outbox: Outbox,
        topics: Sequence[str],
        on_refused: Callable[[str, str], None],
    ) -> None:
        """Makes a client; nothing is connected.

        Args:
            settings: the connection's.
            outbox: what is sent.
            topics: that are listened to.
            on_refused: is told of a topic of which the broker does not want to know, and what it said.

        Raises:
            ConfigError: password or certificate cannot be read.
        """
        self.is_connected = False
        self.fault: Fault | None = None
        self.in_flight: dict[int, Message] = {}
        self._settings = settings
        self._outbox = outbox
        self._topics = topics
        self._on_refused = on_refused
        self._max_in_flight = _MAX_IN_FLIGHT
        self._received: list[tuple[str, bytes]] = []
        self._last_error = ""
        client = self._client = make_client(settings)
        will = messages.status(settings, messages.OFFLINE)
        client.will_set(will.topic, will.payload, will.qos, will.retain)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe
        # Looked at outside of paho's reading, so that an error of ours is not taken for one of the broker.
        client.on_message = lambda _, __, message: self._received.append(
            (message.topic, bytes(message.payload))
        )
        client.on_log = self._on_log
        client.on_socket_open = self._on_socket_open

    def connect(self) -> None:
        """Resolves the name and connects; the broker has not answered yet. Ends where that fails."""
        properties = None
        if self._settings.version == "5":
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.MaximumPacketSize = _LARGEST_PACKET_BYTES
        address = self._settings.address
        try:
            self._client.connect(*address, keepalive=self._settings.keepalive_s, properties=properties)
        except Exception as error:  # noqa: BLE001 - what paho's readers of a handshake may raise is not told
            self.fault = faults.connect_failure(error, self._settings)

    def step(self, wake_fd: int, on_message: MessageHandler) -> None:
        """Sends what the broker takes and hears what it says, for a second at most. May end it.

        Args:
            wake_fd: an eventfd that is not 0 where there is something new to send.
            on_message: is told topic and payload of what came.
        """
        if self.fault is None:
            try:
                self._exchange(wake_fd)
            except Exception as error:  # noqa: BLE001 - what paho's readers of nonsense may raise is not told
                logger.debug("MQTT: %r", error)
                self.fault = Fault(faults.NOT_MQTT)
        if self.fault is None and self._client.socket() is None:
            self.fault = faults.closed_before_answer(self._last_error, self._settings)
        received, self._received = self._received, []
        for topic, payload in received:
            on_message(topic, payload)

    def is_flushed(self) -> bool:
        """Whether all that was to be said is said, and was acknowledged."""
        return not (len(self._outbox) or self.in_flight or self._client.want_write())

    def close(self) -> None:
        """Ends it; where there is no fault it takes leave, so that the will is not published."""
        if self.fault is None:
            self._client.disconnect()
        found = self._client.socket()
        if found is not None:
            found.close()

    def _exchange(self, wake_fd: int) -> None:
        found = self._client.socket()
        if found is None:
            return
        poll = select.poll()
        poll.register(wake_fd, select.POLLIN)
        wants = select.POLLOUT if self._client.want_write() else 0
        number = found.fileno()
        poll.register(number, select.POLLIN | wants)
        # TLS may have more in its own buffer than the system knows of.
        pending = getattr(found, "pending", int)()
        ready = dict(poll.poll(0 if pending else 1e3 * _TICK_S))
        if wake_fd in ready:
            os.eventfd_read(wake_fd)
        if pending or ready.get(number, 0) & ~select.POLLOUT:
            self._client.loop_read()  # first: a broker that is about to close may tell why
        self._send()
        if self._client.want_write():
            self._client.loop_write()
        self._client.loop_misc()

    def _send(self) -> None:
        while self.is_connected and self.fault is None:
            if len(self.in_flight) >= self._max_in_flight or self._client.want_write():
                return
            message = self._outbox.pop()
            if message is None:
                return
            info = self._client.publish(message.topic, message.payload, message.qos, message.retain)
            if message.qos:
                self.in_flight[info.mid] = message
            elif info.rc != paho.MQTT_ERR_SUCCESS:
                self._outbox.dropped += 1

    def _on_socket_open(self, _: paho.Client, __: Any, opened: Any) -> None:
        if isinstance(opened, socket.socket):
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)

    def _on_connect(self, client: paho.Client, _: Any, __: Any, reason: Any, properties: Any = None) -> None:
        if reason.is_failure:
            self.fault = faults.refusal(reason, self._settings)
            return
        self._max_in_flight = min(_MAX_IN_FLIGHT, getattr(properties, "ReceiveMaximum", _MAX_IN_FLIGHT))
        client.subscribe([(topic, 1) for topic in self._topics])
        self.is_connected = True

    def _on_disconnect(self, _: paho.Client, __: Any, ___: Any, reason: Any, ____: Any = None) -> None:
        if self.fault is None:
            self.fault = faults.disconnection(
                reason, self._last_error, self._settings, was_connected=self.is_connected
            )

    def _on_publish(self, _: paho.Client, __: Any, number: int, reason: Any, ___: Any = None) -> None:
        message = self.in_flight.pop(number, None)
        if message is not None and reason.is_failure:
            self._outbox.dropped += 1
            self._on_refused(message.topic, faults.describe_rejected(reason, message.topic, self._settings))

    def _on_subscribe(self, _: paho.Client, __: Any, ___: int, reasons: Any, ____: Any = None) -> None:
        for topic, reason in zip(self._topics, reasons, strict=False):
            if reason.is_failure:
                self._on_refused(
                    topic, f"{reason} to listen to {topic}; let this user read it in the broker's access list"
                )

    def _on_log(self, _: paho.Client, __: Any, level: int, text: str) -> None:
        if level == LogLevel.MQTT_LOG_ERR:
            self._last_error = text
