"""The messages that wait for a connection."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from edge.output.mqtt.messages import Message, empty

Fit = Callable[[Message], Sequence[Message]]


def _whole(message: Message) -> Sequence[Message]:
    return (message,)


class Outbox:
    """A bounded queue of messages that never sends outdated ones; may be used by any thread.

    Three kinds of messages are treated differently:

    - Retained messages describe a state. The latest of each topic is sent on every new connection, because
      that may be to another broker, and the broker may hold what an earlier run said. Until the broker has
      acknowledged each topic, nothing else of QoS 1 is sent.
    - Messages of QoS 0 are useful only at once. The latest of each topic is sent if there is a connection.
    - All others, the events, wait for a connection. When there are too many, the oldest are dropped. One is
      sent at a time: if its acknowledgement is lost, it arrives twice in a row, and never after a later one.

    What is too large for the broker of a connection is replaced there by something smaller, or left out.

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
        self._unconfirmed: set[str] = set()  # retained topics that this connection has not settled yet
        self._online: Message | None = None  # to be sent once they are
        self._last: Message | None = None  # to be sent after everything else
        self._waiting: deque[Message] = deque()
        self._event_in_flight: Message | None = None
        self._connected = False
        self._fit: Fit = _whole
        self._part_topics: set[str] = set()  # where a message was published in parts, on any connection

    def __len__(self) -> int:
        """Returns the number of messages still to be sent."""
        with self._lock:
            single = [message for message in (self._online, self._last) if message is not None]
            return len(self._latest) + len(self._waiting) + len(single)

    def put(self, messages: Iterable[Message]) -> None:
        """Adds messages; never blocks for long."""
        with self._lock:
            for message in messages:
                if message.retain:
                    self._retained[message.topic] = message
                    if self._connected:
                        self._latest.update(self._fitting([message]))
                elif message.qos:
                    self._waiting.append(message)
                else:
                    self.dropped += not self._connected or message.topic in self._latest
                    if self._connected:
                        fitting = self._fitting([message])
                        self.dropped += not fitting
                        self._latest.update(fitting)
            self._drop_oldest()

    def finish(self, last: Message) -> None:
        """Adds the last message of all; what was to be sent before it is still sent, except `online`."""
        with self._lock:
            self._online, self._last = None, last

    def connected(self, online: Message, fit: Fit = _whole) -> None:
        """Notes a new connection.

        Args:
            online: Message that makes others believe the retained ones; sent once these are acknowledged.
            fit: Returns what to send on this connection instead of a message: usually just that.
        """
        with self._lock:
            self._connected, self._fit = True, fit
            self._retained.pop(online.topic, None)
            fitting = self._fitting(self._retained.values())
            # An earlier connection may have taken smaller messages only. Parts that came from there would
            # contradict the whole, and are removed before it is sent.
            outdated = self._part_topics - fitting.keys()
            self._part_topics |= fitting.keys() - self._retained.keys()
            self._latest = {topic: empty(topic) for topic in sorted(outdated)} | fitting
            self._unconfirmed = set(self._latest)
            self._online = online

    def repeat_retained(self) -> None:
        """Sends the latest retained message of each topic once more, if there is a connection."""
        with self._lock:
            if self._connected:
                self._latest.update(self._fitting(self._retained.values()))

    def acknowledged(self, message: Message) -> None:
        """Notes that the broker has taken or refused a message of QoS 1."""
        with self._lock:
            self._unconfirmed.discard(message.topic)
            if message is self._event_in_flight:
                self._event_in_flight = None

    def disconnected(self) -> None:
        """Notes that the connection has ended; an event that was not acknowledged will be sent again."""
        with self._lock:
            self._connected = False
            self.dropped += sum(not message.qos for message in self._latest.values())
            self._latest.clear()
            self._online = None
            self._unconfirmed.clear()
            if self._event_in_flight is not None:
                self._waiting.appendleft(self._event_in_flight)
                self._event_in_flight = None
            self._drop_oldest()

    def pop(self) -> Message | None:
        """Removes and returns the next message to send; None if there is none for now, or no connection."""
        with self._lock:
            if self._connected and self._latest:
                return self._latest.pop(next(iter(self._latest)))
            if not self._connected or self._unconfirmed or self._event_in_flight is not None:
                return None
            if self._online is not None:
                online, self._online = self._online, None
                self._retained[online.topic] = online
                if fitting := self._fit(online):
                    return fitting[0]
            while self._waiting:
                if fitting := self._fit(self._waiting.popleft()):
                    self._event_in_flight = fitting[0]
                    return fitting[0]
                self.dropped += 1
            last, self._last = self._last, None
            return next(iter(self._fit(last)), None) if last is not None else None

    def _fitting(self, retained: Iterable[Message]) -> dict[str, Message]:
        return {each.topic: each for message in retained for each in self._fit(message)}

    def _drop_oldest(self) -> None:
        while len(self._waiting) > self._limit:
            self._waiting.popleft()
            self.dropped += 1
