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
_UNDERWAY = 20
_TICK_S = 1.0
# A command has three letters, and Home Assistant's birth six: a broker of MQTT 5 keeps to itself what is much
# longer, so that nobody who may write there can fill this device's memory.
_LARGEST_PACKET_BYTES = 4096
# The system's own is megabytes: on a path that carries little, all that is in there comes minutes late.
_BUFFER_BYTES = 16_384

Hear = Callable[[str, bytes], None]


class Session:
    """A connection.

    paho has neither thread nor queue here: what it has taken is on its way, and what waits is in the outbox.
    A new one is made for every attempt, so that certificates, password and paho's state begin anew.

    Attributes:
        accepted: whether the broker took the connection.
        fault: why there is none, once it ended.
        underway: sent and not acknowledged, in the order in which they were.
    """

    def __init__(
        self,
        settings: MqttSettings,
        outbox: Outbox,
        topics: Sequence[str],
        refused: Callable[[str, str], None],
    ) -> None:
        """Makes a client; nothing is connected.

        Args:
            settings: the connection's.
            outbox: what is sent.
            topics: that are listened to.
            refused: is told of a topic of which the broker does not want to know, and what it said.

        Raises:
            ConfigError: password or certificate cannot be read.
        """
        self.accepted = False
        self.fault: Fault | None = None
        self.underway: dict[int, Message] = {}
        self._settings = settings
        self._outbox = outbox
        self._topics = topics
        self._refused = refused
        self._most = _UNDERWAY
        self._heard: list[tuple[str, bytes]] = []
        self._last_error = ""
        client = self._client = make_client(settings)
        will = messages.status(settings, messages.OFFLINE)
        client.will_set(will.topic, will.payload, will.qos, will.retain)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe
        # Looked at outside of paho's reading, so that an error of ours is not taken for one of the broker.
        client.on_message = lambda _, __, message: self._heard.append((message.topic, bytes(message.payload)))
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
            self.fault = faults.unreachable(error, self._settings)

    def step(self, wake: int, hear: Hear) -> None:
        """Sends what the broker takes and hears what it says, for a second at most. May end it.

        Args:
            wake: an eventfd that is not 0 where there is something new to send.
            hear: is told topic and payload of what came.
        """
        if self.fault is None:
            try:
                self._exchange(wake)
            except Exception as error:  # noqa: BLE001 - what paho's readers of nonsense may raise is not told
                logger.debug("MQTT: %r", error)
                self.fault = Fault(faults.NOT_MQTT)
        if self.fault is None and self._client.socket() is None:
            self.fault = faults.unanswered(self._last_error, self._settings)
        heard, self._heard = self._heard, []
        for topic, payload in heard:
            hear(topic, payload)

    def idle(self) -> bool:
        """Whether all that was to be said is said, and was acknowledged."""
        return not (len(self._outbox) or self.underway or self._client.want_write())

    def close(self) -> None:
        """Ends it; where there is no fault it takes leave, so that the will is not published."""
        if self.fault is None:
            self._client.disconnect()
        found = self._client.socket()
        if found is not None:
            found.close()

    def _exchange(self, wake: int) -> None:
        found = self._client.socket()
        if found is None:
            return
        poll = select.poll()
        poll.register(wake, select.POLLIN)
        wants = select.POLLOUT if self._client.want_write() else 0
        number = found.fileno()
        poll.register(number, select.POLLIN | wants)
        # TLS may have more in its own buffer than the system knows of.
        pending = getattr(found, "pending", int)()
        ready = dict(poll.poll(0 if pending else 1e3 * _TICK_S))
        if wake in ready:
            os.eventfd_read(wake)
        if pending or ready.get(number, 0) & ~select.POLLOUT:
            self._client.loop_read()  # first: a broker that is about to close may tell why
        self._send()
        if self._client.want_write():
            self._client.loop_write()
        self._client.loop_misc()

    def _send(self) -> None:
        while self.accepted and self.fault is None:
            if len(self.underway) >= self._most or self._client.want_write():
                return
            message = self._outbox.next()
            if message is None:
                return
            info = self._client.publish(message.topic, message.payload, message.qos, message.retain)
            if message.qos:
                self.underway[info.mid] = message
            elif info.rc != paho.MQTT_ERR_SUCCESS:
                self._outbox.dropped += 1

    def _on_socket_open(self, _: paho.Client, __: Any, opened: Any) -> None:
        if isinstance(opened, socket.socket):
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)

    def _on_connect(self, client: paho.Client, _: Any, __: Any, reason: Any, properties: Any = None) -> None:
        if reason.is_failure:
            self.fault = faults.refusal(reason, self._settings)
            return
        self._most = min(_UNDERWAY, getattr(properties, "ReceiveMaximum", _UNDERWAY))
        client.subscribe([(topic, 1) for topic in self._topics])
        self.accepted = True

    def _on_disconnect(self, _: paho.Client, __: Any, ___: Any, reason: Any, ____: Any = None) -> None:
        if self.fault is None:
            self.fault = faults.ended(reason, self._last_error, self._settings, accepted=self.accepted)

    def _on_publish(self, _: paho.Client, __: Any, number: int, reason: Any, ___: Any = None) -> None:
        message = self.underway.pop(number, None)
        if message is not None and reason.is_failure:
            self._outbox.dropped += 1
            self._refused(message.topic, faults.unpublished(reason, message.topic, self._settings))

    def _on_subscribe(self, _: paho.Client, __: Any, ___: int, reasons: Any, ____: Any = None) -> None:
        for topic, reason in zip(self._topics, reasons, strict=False):
            if reason.is_failure:
                self._refused(
                    topic, f"{reason} to listen to {topic}; let this user read it in the broker's access list"
                )

    def _on_log(self, _: paho.Client, __: Any, level: int, text: str) -> None:
        if level == LogLevel.MQTT_LOG_ERR:
            self._last_error = text
