"""The messages of a device: topics, payloads and the words in them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edge.output.mqtt.settings import MqttSettings

# Version of the payloads' fields (`v`), Home Assistant's excepted; raised when a field is removed or changed.
FORMAT = 1
ONLINE, OFFLINE = "online", "offline"
ON, OFF = "ON", "OFF"


@dataclass(frozen=True)
class Message:
    """A message to publish.

    Attributes:
        topic: Full topic.
        payload: Text.
        retain: Whether the broker keeps the message for later subscribers.
        qos: Quality of service: 0, may be lost; 1, arrives at least once.
    """

    topic: str
    payload: str
    retain: bool = False
    qos: int = 1


def status(settings: MqttSettings, text: str) -> Message:
    """Returns the message whether the device is connected; `OFFLINE` is also the last will."""
    return Message(settings.topic("status"), text, retain=True)


def camera(settings: MqttSettings, text: str) -> Message:
    """Returns the message whether the camera delivers frames, `ONLINE` or `OFFLINE`."""
    return Message(settings.topic("camera"), text, retain=True)


def enabled(settings: MqttSettings, *, on: bool) -> Message:
    """Returns the message whether faces are read."""
    return Message(settings.topic("enabled/state"), ON if on else OFF, retain=True)


def retained_topics(settings: MqttSettings) -> list[str]:
    """Returns the device's topics on which a broker may keep a message, commands included."""
    return [settings.topic(name) for name in ("status", "camera", "state", "enabled/state", "enabled/set")]


def parse_enabled(payload: bytes) -> bool | None:
    """Returns what a command asks for, True for on; None if the payload is not a command."""
    return {ON.encode(): True, OFF.encode(): False}.get(payload)


def to_json(fields: Mapping[str, Any]) -> str:
    """Encodes a payload in as few bytes as JSON allows."""
    return json.dumps(fields, allow_nan=False, separators=(",", ":"))


def to_versioned_json(fields: Mapping[str, Any]) -> str:
    """Encodes a payload and adds the version of its format."""
    return to_json({"v": FORMAT, **fields})
