"""What is to be said to a broker, while it may be away: bounded, and nothing that is out of date."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable

from edge.output.mqtt.messages import Message


class Outbox:
    """Messages in the order in which they are sent; any thread may put some in.

    What the broker keeps (retained) is the newest of its topic and is said again on every connection, which
    may be to another broker. What may be lost (QoS 0) is of use at its time only: the newest of its topic,
    while there is a connection. All else waits, and the oldest goes first where there is too much.

    Attributes:
        dropped: messages that will not be heard.
    """

    def __init__(self, limit: int) -> None:
        """Is empty, and there is no connection.

        Args:
            limit: messages that may wait, besides the newest of each topic.
        """
        self.dropped = 0
        self._limit = limit
        self._lock = threading.Lock()  # guards all below
        self._kept: dict[str, Message] = {}
        self._newest: dict[str, Message] = {}
        self._waiting: deque[Message] = deque()
        self._connected = False

    def __len__(self) -> int:
        return len(self._newest) + len(self._waiting)

    def keeps(self, message: Message) -> bool:
        """Whether this is what the broker keeps on its topic, or will."""
        return self._kept.get(message.topic) == message

    def put(self, messages: Iterable[Message]) -> None:
        """Takes messages in; never waits for anybody who does."""
        with self._lock:
            for message in messages:
                if message.retain:
                    self._kept[message.topic] = message
                    if self._connected:
                        self._newest[message.topic] = message
                elif message.qos:
                    self._waiting.append(message)
                else:
                    self.dropped += not self._connected or message.topic in self._newest
                    if self._connected:
                        self._newest[message.topic] = message
            self._shorten()

    def connected(self, first: Message) -> None:
        """There is a connection now: `first`, then all that is kept, then what waited."""
        with self._lock:
            self._connected = True
            self._newest = {first.topic: first, **self._kept}

    def lost(self, underway: Iterable[Message]) -> None:
        """There is none any more, and nobody knows whether these arrived: what is no state waits again."""
        with self._lock:
            self._connected = False
            self.dropped += sum(not message.qos for message in self._newest.values())
            self._newest.clear()
            self._waiting.extendleft([message for message in underway if not message.retain][::-1])
            self._shorten()

    def next(self) -> Message | None:
        """The next one, which goes; None where there is none."""
        with self._lock:
            if self._newest:
                return self._newest.pop(next(iter(self._newest)))
            return self._waiting.popleft() if self._waiting else None

    def _shorten(self) -> None:
        while len(self._waiting) > self._limit:
            self._waiting.popleft()
            self.dropped += 1
