"""What was sent on a connection, and what of it the broker has taken."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from edge.output.mqtt.messages import Message

# A broker that does not like a packet closes the connection within this time after it was sent.
_VERDICT_S = 5.0


@dataclass(frozen=True)
class SentPacket:
    """A message on its way.

    Attributes:
        number: paho's number.
        message: The message.
        size_bytes: Size of the whole packet.
        sent_s: Time at which it was sent, on the clock of `InFlight`.
    """

    number: int
    message: Message
    size_bytes: int
    sent_s: float


class InFlight:
    """What was sent on one connection and is not known to have arrived; used by one thread.

    Attributes:
        taken_bytes: Size of the largest packet that the broker has taken.
    """

    def __init__(self, limit_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Starts with nothing sent.

        Args:
            limit_s: Seconds that the broker may take to acknowledge something.
            clock: Returns seconds; monotonic.
        """
        self.taken_bytes = 0
        self._limit_s = limit_s
        self._clock = clock
        self._ticked_s = clock()
        self._answerable_s = 0.0  # time during which the broker could have answered
        self._unacknowledged: dict[int, tuple[Message, float]] = {}  # by paho's number; since when
        self._subscriptions: dict[int, float] = {}  # the same
        self._recent: deque[SentPacket] = deque()  # in the order of sending, those of QoS 0 included

    def __len__(self) -> int:
        """Returns the number of messages of QoS 1 that are not acknowledged."""
        return len(self._unacknowledged)

    def sent(self, number: int, message: Message, size_bytes: int) -> None:
        """Notes a message that was sent under paho's number."""
        if message.qos:
            self._unacknowledged[number] = message, self._answerable_s
        self._recent.append(SentPacket(number, message, size_bytes, self._clock()))

    def subscribed(self, number: int) -> None:
        """Notes a subscription that was sent under paho's number."""
        self._subscriptions[number] = self._answerable_s

    def subscription_acknowledged(self, number: int) -> None:
        """Notes the broker's answer to a subscription."""
        self._subscriptions.pop(number, None)

    def acknowledged(self, number: int) -> Message | None:
        """Notes the broker's answer to a message, and returns the message.

        Returns None if no answer is due: paho itself acknowledges messages of QoS 0.
        """
        if number not in self._unacknowledged:
            return None
        message, _ = self._unacknowledged.pop(number)
        # A broker reads in order: it has taken everything that was sent before as well.
        if any(packet.number == number for packet in self._recent):
            while (packet := self._recent.popleft()).number != number:
                self._took(packet)
            self._took(packet)
        return message

    def tick(self, *, backlog: bool) -> None:
        """Lets time pass; must be called every second or so while the connection is open.

        Args:
            backlog: Whether the network still has to carry something, so that the broker cannot answer yet.
        """
        now_s = self._clock()
        if not backlog:
            self._answerable_s += now_s - self._ticked_s
        self._ticked_s = now_s
        while self._recent and now_s - self._recent[0].sent_s > _VERDICT_S:
            self._took(self._recent.popleft())

    def overdue(self) -> str:
        """Names what the broker should have acknowledged by now; empty if there is nothing."""
        latest_s = self._answerable_s - self._limit_s
        if any(sent_s < latest_s for sent_s in self._subscriptions.values()):
            return "the subscription"
        for message, sent_s in self._unacknowledged.values():
            if sent_s < latest_s:
                return f"a message on {message.topic}"
        return ""

    def largest_untaken(self) -> SentPacket | None:
        """Returns the largest packet whose fate is open; None if the broker has taken one of its size."""
        largest = max(self._recent, key=lambda packet: packet.size_bytes, default=None)
        return largest if largest is not None and largest.size_bytes > self.taken_bytes else None

    def _took(self, packet: SentPacket) -> None:
        self.taken_bytes = max(self.taken_bytes, packet.size_bytes)
