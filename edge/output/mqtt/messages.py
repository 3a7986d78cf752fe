"""What is said to a broker, as topics and payloads: pure functions and a memory of what was said."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from edge.labels import EMOTIONS, GENDERS
from edge.output.jsonl import report_to_dict
from edge.output.mqtt.settings import HOME_ASSISTANT, MqttSettings
from edge.types import UNCERTAIN, Face, Report
from edge.version import __version__

# Of the form of all payloads but Home Assistant's; raised when one loses or changes a field.
FORMAT = 1
ONLINE, OFFLINE = "online", "offline"
ON, OFF = "ON", "OFF"
_STATS_S = 10.0
# How long nobody must be seen before nobody is there: a face turns away for a moment.
_ABSENT_S = 2.0


@dataclass(frozen=True)
class Message:
    """One message.

    Attributes:
        topic: where it goes.
        payload: text.
        retain: whether the broker keeps it for those who come later.
        qos: 0 may be lost, 1 arrives.
    """

    topic: str
    payload: str
    retain: bool = False
    qos: int = 1


class Reporter:
    """Turns reports into messages: what changed, at once but not too often, and what is repeated."""

    def __init__(self, settings: MqttSettings) -> None:
        """Has said nothing yet."""
        self._settings = settings
        self._people: dict[int, tuple[Face, float, float]] = {}  # the face, since when, seen last
        self._said: dict[str, str] = {}
        self._said_s: dict[str, float] = {}

    def messages(self, report: Report, now_s: float, extra: Mapping[str, int]) -> Iterator[Message]:
        """What a report gives cause to say.

        Args:
            report: of a frame.
            now_s: seconds, never falling.
            extra: more numbers for the statistics.
        """
        yield from self._events(report, now_s)
        interval_s, heartbeat_s = self._settings.interval_s, self._settings.heartbeat_s
        state = _text(self._state())
        since_s = now_s - self._said_s.get("state", -float("inf"))
        if (state != self._said.get("state") and since_s >= interval_s) or since_s >= heartbeat_s:
            yield self._say("state", state, now_s, retain=True)
        if report.faces and now_s - self._said_s.get("faces", -float("inf")) >= interval_s:
            yield self._say("faces", _text(report_to_dict(report)), now_s, qos=0)
        # Of the first frame there is no rate yet.
        if report.rates.processed_fps and now_s - self._said_s.get("stats", -float("inf")) >= _STATS_S:
            yield self._say("stats", _text(_stats(report, extra)), now_s, qos=0)

    def goodbye(self, now_s: float) -> Iterator[Message]:
        """What is said when the camera is gone or switched off: everybody left."""
        for id_ in list(self._people):
            yield self._leave(id_, now_s)
        yield self._say("state", _text(self._state()), now_s, retain=True)

    def _events(self, report: Report, now_s: float) -> Iterator[Message]:
        for face in report.faces:
            known = self._people.get(face.id)
            since_s = known[1] if known else now_s
            self._people[face.id] = face, since_s, now_s
            if known is None:
                yield self._event("appeared", face, since_s, now_s)
            elif _labels(known[0]) != _labels(face):
                yield self._event("changed", face, since_s, now_s)
        for id_ in [id_ for id_, (_, _, seen_s) in self._people.items() if now_s - seen_s > _ABSENT_S]:
            yield self._leave(id_, now_s)

    def _leave(self, id_: int, now_s: float) -> Message:
        face, since_s, _ = self._people.pop(id_)
        return self._event("left", face, since_s, now_s)

    def _event(self, kind: str, face: Face, since_s: float, now_s: float) -> Message:
        fields = {"event": kind, "id": face.id, "for_s": round(now_s - since_s, 1), **_labels(face)}
        return Message(self._settings.topic("event"), _text(fields))

    def _state(self) -> dict[str, Any]:
        """Of all who are there; the largest face speaks where one value is wanted."""
        faces = [face for face, _, _ in self._people.values()]
        nearest = max(faces, key=lambda face: face.detection.box.width, default=None)
        labels = _labels(nearest) if nearest else {"emotion": None, "gender": None}
        return {"faces": len(faces), "presence": ON if faces else OFF, **labels}

    def _say(self, name: str, text: str, now_s: float, *, retain: bool = False, qos: int = 1) -> Message:
        self._said[name], self._said_s[name] = text, now_s
        return Message(self._settings.topic(name), text, retain, qos)


def status(settings: MqttSettings, text: str) -> Message:
    """Whether the device is there; `OFFLINE` is what the broker says when it is gone."""
    return Message(settings.topic("status"), text, retain=True)


def camera(settings: MqttSettings, text: str) -> Message:
    """Whether its camera delivers."""
    return Message(settings.topic("camera"), text, retain=True)


def enabled(settings: MqttSettings, *, on: bool) -> Message:
    """Whether it reads faces at all."""
    return Message(settings.topic("enabled/state"), ON if on else OFF, retain=True)


def kept_topics(settings: MqttSettings) -> list[str]:
    """All topics below the device's own on which a broker may keep something, a command too."""
    return [settings.topic(name) for name in ("status", "camera", "state", "enabled/state", "enabled/set")]


def parse_enabled(payload: bytes) -> bool | None:
    """What a command asks for; None where it is none."""
    return {ON.encode(): True, OFF.encode(): False}.get(payload)


def discovery_topic(settings: MqttSettings) -> str:
    """Where Home Assistant looks for the device; under its own prefix where the settings have none."""
    return f"{settings.discovery or HOME_ASSISTANT}/device/{settings.client_id}/config"


def discovery(settings: MqttSettings) -> Message:
    """Home Assistant's discovery of a device and all its entities, as of 2024.11."""
    state, stats = settings.topic("state"), settings.topic("stats")

    def sensor(name: str, key: str, topic: str, **more: Any) -> dict[str, Any]:
        return {
            "p": "sensor",
            "name": name,
            "stat_t": topic,
            "val_tpl": "{{ value_json." + key + " }}",
            **more,
        }

    # Where nobody is there the value is null, which a template renders as None, which Home Assistant takes
    # for "unknown", whatever the options are. So it does where a board tells no temperature.
    enum = {"device_class": "enum"}
    diagnostic = {"entity_category": "diagnostic", "state_class": "measurement"}
    components: dict[str, dict[str, Any]] = {
        "emotion": sensor("Emotion", "emotion", state, options=[*EMOTIONS, UNCERTAIN], **enum),
        "gender": sensor("Apparent gender", "gender", state, options=[*GENDERS, UNCERTAIN], **enum),
        "faces": sensor("Faces", "faces", state, state_class="measurement"),
        "presence": {
            "p": "binary_sensor",
            "name": "Presence",
            "stat_t": state,
            "val_tpl": "{{ value_json.presence }}",
            "device_class": "occupancy",
        },
        "camera": {
            "p": "binary_sensor",
            "name": "Camera",
            "stat_t": settings.topic("camera"),
            "payload_on": ONLINE,
            "payload_off": OFFLINE,
            "device_class": "connectivity",
            "entity_category": "diagnostic",
            # It tells of the camera, so that it must not go with it.
            "availability": [{"topic": settings.topic("status")}],
        },
        "fps": sensor("Frames a second", "fps", stats, unit_of_measurement="FPS", **diagnostic),
        "temperature": sensor(
            "Temperature",
            "temperature",
            stats,
            device_class="temperature",
            unit_of_measurement="°C",
            **diagnostic,
        ),
        "light": {
            **sensor("Picture brightness", "light", stats, unit_of_measurement="%", **diagnostic),
            "val_tpl": "{{ (100 * value_json.light) | round }}",
        },
        "enabled": {
            "p": "switch",
            "name": "Reading",
            "stat_t": settings.topic("enabled/state"),
            "cmd_t": settings.topic("enabled/set"),
            # Who switched it off wants it off after a boot as well, so that the broker keeps the order.
            "retain": True,
            "availability": [{"topic": settings.topic("status")}],
        },
    }
    for name, component in components.items():
        component["unique_id"] = f"{settings.client_id}_{name}"
        # Not above, for all: up to 2026.5 Home Assistant took that for legal and for none of them.
        component["qos"] = 1
    payload = {
        "dev": {
            "ids": [settings.client_id],
            "name": settings.device,
            "mdl": "emotiny",
            "sw": __version__,
        },
        "o": {"name": "emotiny", "sw": __version__},
        "cmps": components,
        "availability": [{"topic": settings.topic("status")}, {"topic": settings.topic("camera")}],
        "availability_mode": "all",
    }
    # Without a version of ours: Home Assistant refuses a device for one key that it does not know.
    return Message(discovery_topic(settings), _json(payload), retain=True)


def _labels(face: Face) -> dict[str, str]:
    return {"emotion": face.emotion.label, "gender": face.gender.label}


def _stats(report: Report, extra: Mapping[str, int]) -> dict[str, Any]:
    fields = report_to_dict(report)
    return {name: fields[name] for name in ("fps", "dropped", "temperature", "throttled", "light")} | dict(
        extra
    )


def _text(fields: Mapping[str, Any]) -> str:
    return _json({"v": FORMAT, **fields})


def _json(fields: Mapping[str, Any]) -> str:
    return json.dumps(fields, allow_nan=False, separators=(",", ":"))
