"""How large a packet the broker takes, and what is sent to one that takes small ones only."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from edge.output.mqtt.faults import TOO_LARGE_HINT, Fault, too_large
from edge.output.mqtt.in_flight import InFlight
from edge.output.mqtt.messages import Message
from edge.output.mqtt.settings import MqttSettings
from edge.output.mqtt.throttle import LogThrottle

logger = logging.getLogger(__name__)

# Enough for the announcement of a device with names of any length, and for 16 faces.
ENOUGH_BYTES = 8192
_REMINDER_S = 3600.0
# So many connections in a row that end right after a large packet are no accident.
_SUSPICIOUS_LOSSES = 2
# If an earlier connection took a packet of that size, the broker may have been given a limit since; after two
# losses, another client of the same name is as likely.
_LOSSES_IF_TAKEN_BEFORE = 3


def packet_bytes(message: Message, version: str) -> int:
    """Returns the size of the packet that carries a message.

    Args:
        message: Message to publish.
        version: Version of MQTT, "5" or "3.1.1".
    """
    size = 2 + len(message.topic.encode()) + len(message.payload.encode()) + (2 if message.qos else 0)
    if version == "5":
        pairs = message.properties
        properties = sum(5 + len(name.encode()) + len(value.encode()) for name, value in pairs)
        size += _length_bytes(properties) + properties
    return 1 + _length_bytes(size) + size


class SizeLimit:
    """Shortens messages, or sends them in parts, for a broker that limits the size of packets.

    With MQTT 5 the broker announces its limit. Otherwise it closes the connection on a packet that is too
    large, and the limit is guessed: when that has happened twice, three quarters of that packet's size are
    tried, but never less than what the broker has taken before. If it took such a packet on an earlier
    connection, it may have been given a limit since: after the third loss, what it took is forgotten.
    """

    def __init__(self, settings: MqttSettings, clock: Callable[[], float] = time.monotonic) -> None:
        """Starts without a limit.

        Args:
            settings: Address of the broker and version of MQTT.
            clock: Returns seconds; monotonic.
        """
        self._settings = settings
        self._announced: int | None = None
        self._guessed: int | None = None  # for the rest of the run
        self._taken_bytes = 0
        self._suspect = ""  # topic of the large packet after which the last connection ended
        self._losses = 0  # after a packet of that topic, in a row
        self._throttle = LogThrottle(_REMINDER_S, clock)

    def connected(self, announced: int | None) -> None:
        """Notes the limit in bytes that the broker of a new connection has announced; None for none."""
        if announced != self._announced:
            self._throttle.reset()
        self._announced = announced

    def fit(self, message: Message) -> Sequence[Message]:
        """Returns what to send instead of a message: just that, smaller ones, or nothing.

        What is not sent as it is, is logged once an hour.
        """
        limits = [limit for limit in (self._announced, self._guessed) if limit is not None]
        limit = min(limits, default=None)
        size = packet_bytes(message, self._settings.version)
        if limit is None or size <= limit:
            return (message,)
        fitting = _shrink(message, limit, self._settings.version)
        if not any(each.payload for each in fitting):  # nothing but the withdrawal of what was sent before
            fitting = []
        if self._throttle.due(message.topic) is not None:
            outcome = "not sent" if not fitting else "shortened" if len(fitting) == 1 else "sent in parts"
            self._log(message.topic, size, limit, outcome)
        return fitting

    def disconnected(self, fault: Fault, in_flight: InFlight) -> Fault:
        """Learns from the end of a connection.

        Args:
            fault: Why it ended.
            in_flight: What was sent on it.

        Returns:
            The fault, or a better explanation.
        """
        self._taken_bytes = max(self._taken_bytes, in_flight.taken_bytes)
        packet = in_flight.largest_untaken() if fault.unexplained or fault.packet_too_large else None
        if packet is None:
            self._suspect, self._losses = "", 0
            return fault
        self._losses = self._losses + 1 if packet.message.topic == self._suspect else 1
        self._suspect = packet.message.topic
        taken_before = packet.size_bytes <= self._taken_bytes
        if self._losses < self._needed_losses(fault, taken_before=taken_before):
            return fault if taken_before else replace(fault, repeated_hint=TOO_LARGE_HINT)
        self._suspect, self._losses = "", 0
        if taken_before:
            self._taken_bytes = in_flight.taken_bytes
        self._guessed = max(packet.size_bytes * 3 // 4, self._taken_bytes)
        self._throttle.reset()
        return too_large(packet.message.topic, packet.size_bytes)

    def _needed_losses(self, fault: Fault, *, taken_before: bool) -> int:
        """Returns how many connections in a row must end after a packet that its size may explain."""
        if fault.packet_too_large:
            return 1
        if taken_before:
            return _LOSSES_IF_TAKEN_BEFORE
        return _SUSPICIOUS_LOSSES if self._guessed is None else 1

    def _log(self, topic: str, size: int, limit: int, outcome: str) -> None:
        logger.warning(
            "MQTT broker %s:%d: %s packets of more than %d bytes; the message on %s has %d and is %s; "
            "raise the broker's limit (Mosquitto: max_packet_size)",
            *self._settings.address,
            "takes no" if limit == self._announced else "seems to take no",
            limit,
            topic,
            size,
            outcome,
        )


def _shrink(message: Message, limit: int, version: str) -> list[Message]:
    """Replaces a message by smaller ones until all of them fit, and leaves out those that never do."""
    if packet_bytes(message, version) <= limit:
        return [message]
    smaller = message.smaller() if message.smaller is not None else ()
    return [fitting for each in smaller for fitting in _shrink(each, limit, version)]


def _length_bytes(length: int) -> int:
    """Returns the size of a length as MQTT encodes it: seven bits in each byte."""
    return max(1, -(-length.bit_length() // 7))
