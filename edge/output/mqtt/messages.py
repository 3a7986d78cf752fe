"""The messages of a device: topics, payloads and the words in them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from edge.output.mqtt.settings import MqttSettings
from edge.output.mqtt.stamp import Stamp

# Version of the payloads' fields (`v`), Home Assistant's excepted; raised when a field is removed or changed.
FORMAT = 1
ONLINE, OFFLINE = "online", "offline"
ON, OFF = "ON", "OFF"
APPEARED, CHANGED, LEFT = EVENTS = ("appeared", "changed", "left")


@dataclass(frozen=True)
class Message:
    """A message to publish.

    Attributes:
        topic: Full topic.
        payload: Text.
        retain: Whether the broker keeps the message for later subscribers.
        qos: Quality of service: 0, may be lost; 1, arrives at least once.
        properties: Names and values that MQTT 5 carries beside the payload; left out with MQTT 3.1.1.
        smaller: Returns the messages to send if this one is too large for the broker; None if there are none.
    """

    topic: str
    payload: str
    retain: bool = False
    qos: int = 1
    properties: tuple[tuple[str, str], ...] = ()
    smaller: Callable[[], tuple[Message, ...]] | None = field(default=None, repr=False, compare=False)


def status(settings: MqttSettings, text: str, stamp: Stamp) -> Message:
    """Returns the message whether the device is connected, `ONLINE` or `OFFLINE`."""
    return _word(settings.topic("status"), text, stamp)


def will(settings: MqttSettings) -> Message:
    """Returns the message that the broker publishes when the connection is lost, at a time unknown here."""
    return Message(settings.topic("status"), OFFLINE, retain=True)


def camera(settings: MqttSettings, text: str, stamp: Stamp) -> Message:
    """Returns the message whether the camera delivers frames, `ONLINE` or `OFFLINE`."""
    return _word(settings.topic("camera"), text, stamp)


def enabled(settings: MqttSettings, stamp: Stamp, *, on: bool) -> Message:
    """Returns the message whether faces are read."""
    return _word(settings.topic("enabled/state"), ON if on else OFF, stamp)


def aiming(settings: MqttSettings, stamp: Stamp, *, on: bool) -> Message:
    """Returns the message whether a page shows what the camera sees."""
    return _word(settings.topic("aim"), ON if on else OFF, stamp)


def retained_topics(settings: MqttSettings) -> list[str]:
    """Returns the device's topics on which a broker may keep a message, commands included."""
    names = ("status", "camera", "state", "enabled/state", "aim", "enabled/set")
    return [settings.topic(name) for name in names]


def empty(topic: str) -> Message:
    """Returns the message after which a broker keeps nothing on a topic."""
    return Message(topic, "", retain=True)


def parse_enabled(payload: bytes) -> bool | None:
    """Returns what a command asks for, True for on; None if the payload is not a command."""
    return {ON.encode(): True, OFF.encode(): False}.get(payload)


def to_json(fields: Mapping[str, Any]) -> str:
    """Encodes a payload in as few bytes as JSON allows."""
    return json.dumps(fields, allow_nan=False, separators=(",", ":"))


def to_stamped_json(stamp: Stamp, fields: Mapping[str, Any]) -> str:
    """Encodes a payload, and adds the version of its format and the stamp."""
    return to_json({"v": FORMAT, **stamp.fields(), **fields})


def _word(topic: str, text: str, stamp: Stamp) -> Message:
    """Returns a retained message whose payload is a word that other programs compare as a whole."""
    properties = tuple((name, str(value)) for name, value in stamp.fields().items())
    word = Message(topic, text, retain=True)
    return replace(word, properties=properties, smaller=lambda: (word,))
