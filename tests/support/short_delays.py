"""Delays and time limits that are shorter than a user's, so that tests need not wait."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import ClassVar

from edge.output.mqtt.backoff import Backoff
from edge.output.mqtt.settings import MqttSettings


class ShortDelays(Backoff):
    """Delays of 20 ms, 40 ms and so on up to 0.4 s, without jitter, on a clock that is as much faster.

    Attributes:
        delays_s: All delays so far.
    """

    FACTOR = 0.01

    def __init__(self) -> None:
        super().__init__(lambda: time.monotonic() / self.FACTOR, uniform=lambda *_: self.FACTOR)
        self.delays_s: list[float] = []

    def disconnected(
        self, *, suspicious: bool = False, longest: bool = False, remedied: bool = False
    ) -> float:
        delay_s = super().disconnected(suspicious=suspicious, longest=longest, remedied=remedied)
        self.delays_s.append(delay_s)
        return delay_s


@dataclass(frozen=True)
class ShortKeepalive(MqttSettings):
    """Settings with a keep-alive of 2 s; users may choose 5 s or more."""

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "keepalive_s", 2)


@dataclass(frozen=True)
class ShortAcknowledgement(MqttSettings):
    """Settings of which every acknowledgement must come within a second instead of 30."""

    acknowledge_s: ClassVar[float] = 1.0
