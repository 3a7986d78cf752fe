"""The messages that wait for a connection."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable

from edge.output.mqtt.messages import Message


class Outbox:
    """A bounded queue of messages that never sends outdated ones; may be used by any thread.

    Three kinds of messages are treated differently:

    - Retained messages describe a state. The latest of each topic is sent on every new connection, because
      that may be to another broker.
    - Messages of QoS 0 are useful only at once. The latest of each topic is sent if there is a connection.
    - All others wait for a connection. When there are too many, the oldest are dropped.

    Attributes:
        dropped: Number of messages that were given up.
    """

    def __init__(self, limit: int) -> None:
        """Starts empty and without a connection.

        Args:
            limit: Number of messages that may wait, not counting the latest of each topic.
        """
        self.dropped = 0
        self._limit = limit
        self._lock = threading.Lock()  # guards all below
        self._retained: dict[str, Message] = {}  # by topic, for this and all later connections
        self._latest: dict[str, Message] = {}  # by topic, to be sent on this connection
        self._waiting: deque[Message] = deque()
        self._connected = False

    def __len__(self) -> int:
        """Returns the number of messages still to be sent."""
        return len(self._latest) + len(self._waiting)

    def is_retained(self, message: Message) -> bool:
        """Whether the last retained message of this topic is the same."""
        return self._retained.get(message.topic) == message

    def put(self, messages: Iterable[Message]) -> None:
        """Adds messages; never blocks for long."""
        with self._lock:
            for message in messages:
                if message.retain:
                    self._retained[message.topic] = message
                    if self._connected:
                        self._latest[message.topic] = message
                elif message.qos:
                    self._waiting.append(message)
                else:
                    self.dropped += not self._connected or message.topic in self._latest
                    if self._connected:
                        self._latest[message.topic] = message
            self._drop_oldest()

    def connected(self, first: Message) -> None:
        """Notes a new connection, on which `first`, the retained and then the waiting messages are sent."""
        with self._lock:
            self._connected = True
            self._latest = {first.topic: first, **self._retained}

    def disconnected(self, in_flight: Iterable[Message]) -> None:
        """Notes that the connection has ended.

        Args:
            in_flight: Messages that were sent but not acknowledged, in the order of sending. Those that are
                not retained are sent again before all others.
        """
        with self._lock:
            self._connected = False
            self.dropped += sum(not message.qos for message in self._latest.values())
            self._latest.clear()
            self._waiting.extendleft([message for message in in_flight if not message.retain][::-1])
            self._drop_oldest()

    def pop(self) -> Message | None:
        """Removes and returns the next message to send; None if there is none."""
        with self._lock:
            if self._latest:
                return self._latest.pop(next(iter(self._latest)))
            return self._waiting.popleft() if self._waiting else None

    def _drop_oldest(self) -> None:
        while len(self._waiting) > self._limit:
            self._waiting.popleft()
            self.dropped += 1
