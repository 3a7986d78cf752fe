"""A single connection to a broker."""

from __future__ import annotations

import fcntl
import os
import select
import socket
import struct
import termios
from collections.abc import Callable, Sequence

import paho.mqtt.client as paho
from paho.mqtt.enums import LogLevel
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from edge.output.mqtt import faults, messages
from edge.output.mqtt.callbacks import CallbackQueue
from edge.output.mqtt.client import make_client
from edge.output.mqtt.faults import Fault
from edge.output.mqtt.in_flight import InFlight
from edge.output.mqtt.messages import Message
from edge.output.mqtt.outbox import Outbox
from edge.output.mqtt.settings import MqttSettings
from edge.output.mqtt.size_limit import packet_bytes

# Messages sent but not acknowledged. Further ones wait in the outbox, where the oldest can be dropped.
_MAX_IN_FLIGHT = 20
# A command has three letters and Home Assistant's birth message six. A broker of MQTT 5 does not forward what
# is longer than this, so that no client can fill this device's memory.
_LARGEST_PACKET_BYTES = 4096
# The system's own buffer holds megabytes: on a slow network everything in it would arrive minutes late.
_SEND_BUFFER_BYTES = 16_384

MessageHandler = Callable[[str, bytes], None]


class Session:
    """A single connection to a broker, used by one thread.

    paho runs without a thread and without a queue here: messages are handed to it when they can be sent, and
    wait in the outbox until then. Every attempt to connect makes a new session, which reads certificates and
    password anew and does not inherit paho's state.

    Attributes:
        is_connected: Whether the broker has accepted the connection.
        fault: Why the session has ended; None while it goes on.
        in_flight: What was sent, and what of it is not acknowledged.
        largest_packet: Size in bytes of the largest packet that the broker takes; None if it names none.
    """

    def __init__(
        self,
        settings: MqttSettings,
        outbox: Outbox,
        topics: Sequence[str],
        on_refused: Callable[[str, str], None],
    ) -> None:
        """Makes a client that is not connected yet.

        Args:
            settings: Settings of the connection.
            outbox: Messages to send.
            topics: Topics to subscribe to.
            on_refused: Called with a topic that the broker refuses to this device, and an explanation.

        Raises:
            ConfigError: a certificate, key or password file cannot be used.
        """
        self.is_connected = False
        self.fault: Fault | None = None
        self.in_flight = InFlight(settings.acknowledge_s)
        self.largest_packet: int | None = None
        self._settings = settings
        self._outbox = outbox
        self._topics = topics
        self._on_refused = on_refused
        self._max_in_flight = _MAX_IN_FLIGHT
        self._received: list[tuple[str, bytes]] = []
        self._last_error = ""
        self._callbacks = CallbackQueue()
        client = self._client = make_client(settings)
        will = messages.will(settings)
        client.will_set(will.topic, will.payload, will.qos, will.retain)
        client.on_connect = self._callbacks.deferred(self._on_connect)
        client.on_disconnect = self._callbacks.deferred(self._on_disconnect)
        client.on_publish = self._callbacks.deferred(self._on_publish)
        client.on_subscribe = self._callbacks.deferred(self._on_subscribe)
        client.on_log = self._callbacks.deferred(self._on_log)
        # Decoded here, inside paho: a topic that is not UTF-8 is the broker's error.
        client.on_message = lambda _, __, message: self._received.append(
            (message.topic, bytes(message.payload))
        )

    def connect(self) -> None:
        """Resolves the host name and connects; sets `fault` if that fails. Does not wait for the broker."""
        properties = None
        if self._settings.version == "5":
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.MaximumPacketSize = _LARGEST_PACKET_BYTES
        address = self._settings.address
        try:
            self._client.connect(*address, keepalive=self._settings.keepalive_s, properties=properties)
        except Exception as error:  # noqa: BLE001 - a handshake with another protocol may raise anything
            self.fault = faults.connect_failure(error, self._settings)
            return
        opened = self._client.socket()
        if isinstance(opened, socket.socket):  # websockets are wrapped
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)

    def step(self, wake_fd: int, on_message: MessageHandler, wait_s: float = 1.0) -> None:
        """Sends what the broker accepts and receives what it sent; may set `fault`.

        Args:
            wake_fd: An eventfd, which is not 0 when there is something new to send.
            on_message: Called with topic and payload of every message received.
            wait_s: Seconds to wait for something to send or to receive.
        """
        self._callbacks.run()
        if self.fault is None:
            self._exchange(wake_fd, wait_s)
        if self.fault is None and self._client.socket() is None:
            self.fault = faults.closed_before_answer(self._last_error, self._settings)
        received, self._received = self._received, []
        for topic, payload in received:
            on_message(topic, payload)

    def is_flushed(self) -> bool:
        """Whether every message was sent and acknowledged."""
        return not (len(self._outbox) or self.in_flight or self._client.want_write())

    def close(self) -> None:
        """Closes the connection; if all was sent, tells the broker first, which then drops the will."""
        if self.fault is None and self.is_flushed():
            self._client.disconnect()
        opened = self._client.socket()
        if opened is not None:
            opened.close()

    def _exchange(self, wake_fd: int, wait_s: float) -> None:
        opened = self._client.socket()
        if opened is None:
            return
        poll = select.poll()
        poll.register(wake_fd, select.POLLIN)
        socket_fd = opened.fileno()
        poll.register(socket_fd, select.POLLIN | (select.POLLOUT if self._client.want_write() else 0))
        # TLS may hold decrypted data of which the system does not know.
        pending = getattr(opened, "pending", int)()
        ready = dict(poll.poll(0 if pending else 1e3 * wait_s))
        if wake_fd in ready:
            os.eventfd_read(wake_fd)
        self.in_flight.tick(backlog=self._client.want_write() or _unsent_bytes(socket_fd) > 0)
        if pending or ready.get(socket_fd, 0) & ~select.POLLOUT:
            self._call_paho(self._client.loop_read)  # first: a broker that is about to close may say why
        overdue = self.in_flight.overdue()
        if overdue and self.fault is None:
            self.fault = faults.unacknowledged(overdue, self._settings.acknowledge_s)
        self._send()
        if self._client.want_write():
            self._call_paho(self._client.loop_write)
        self._call_paho(self._client.loop_misc)

    def _call_paho(self, function: Callable[[], object]) -> None:
        error = self._callbacks.call(function)
        if error is not None:
            self.fault = faults.unreadable(error)

    def _send(self) -> None:
        while self.is_connected and self.fault is None:
            if len(self.in_flight) >= self._max_in_flight or self._client.want_write():
                return
            message = self._outbox.pop()
            if message is None:
                return
            info = self._client.publish(
                *(message.topic, message.payload, message.qos, message.retain),
                properties=self._properties_of(message),
            )
            self.in_flight.sent(info.mid, message, packet_bytes(message, self._settings.version))
            if not message.qos and info.rc != paho.MQTT_ERR_SUCCESS:
                self._outbox.dropped += 1
            self._callbacks.run()

    def _properties_of(self, message: Message) -> Properties | None:
        if not message.properties or self._settings.version != "5":
            return None
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.UserProperty = list(message.properties)
        return properties

    def _on_connect(self, _flags: object, reason: ReasonCode, properties: Properties | None) -> None:
        if reason.is_failure:
            self.fault = faults.refusal(reason, self._settings)
            return
        self._max_in_flight = min(_MAX_IN_FLIGHT, getattr(properties, "ReceiveMaximum", _MAX_IN_FLIGHT))
        self.largest_packet = getattr(properties, "MaximumPacketSize", None)
        _, number = self._client.subscribe([(topic, 1) for topic in self._topics])
        if number is not None:
            self.in_flight.subscribed(number)
        self.is_connected = True

    def _on_disconnect(self, _flags: object, reason: ReasonCode, _properties: object) -> None:
        if self.fault is None:
            self.fault = faults.disconnection(
                reason, self._last_error, self._settings, was_connected=self.is_connected
            )

    def _on_publish(self, number: int, reason: ReasonCode, _properties: object) -> None:
        message = self.in_flight.acknowledged(number)
        if message is None:
            return
        self._outbox.acknowledged(message)
        if reason.is_failure:
            self._outbox.dropped += 1
            self._on_refused(message.topic, faults.describe_rejected(reason, message.topic, self._settings))

    def _on_subscribe(self, number: int, reasons: list[ReasonCode], _properties: object) -> None:
        self.in_flight.subscription_acknowledged(number)
        for topic, reason in zip(self._topics, reasons, strict=False):
            if reason.is_failure:
                self._on_refused(
                    topic, f"{reason} to listen to {topic}; let this user read it in the broker's access list"
                )

    def _on_log(self, level: int, text: str) -> None:
        if level == LogLevel.MQTT_LOG_ERR:
            self._last_error = text


def _unsent_bytes(socket_fd: int) -> int:
    """Returns the number of bytes that the network has not carried to the other side yet."""
    (count,) = struct.unpack("i", fcntl.ioctl(socket_fd, termios.TIOCOUTQ, bytes(4)))
    return int(count)
