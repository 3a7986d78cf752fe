"""Announces a device to Home Assistant by MQTT discovery."""

from __future__ import annotations

from typing import Any

from edge.labels import EMOTIONS, GENDERS
from edge.output.mqtt.messages import EVENTS, OFFLINE, ONLINE, Message, empty, to_json
from edge.output.mqtt.settings import HOME_ASSISTANT, MqttSettings
from edge.types import UNCERTAIN
from edge.version import __version__


def discovery_topic(settings: MqttSettings) -> str:
    """Returns the topic of the device's discovery message.

    Without `settings.discovery` it is the topic under Home Assistant's default prefix, where earlier settings
    may have announced the device.
    """
    return f"{settings.discovery or HOME_ASSISTANT}/device/{settings.client_id}/config"


def entity_topics(settings: MqttSettings) -> str:
    """Returns a filter for the topics of single entities, used with a broker of small messages only."""
    return f"{settings.discovery or HOME_ASSISTANT}/+/{settings.client_id}/+/config"


def discovery(settings: MqttSettings) -> Message:
    """Returns the message that announces the device and its entities to Home Assistant (2024.11 or later)."""
    # Without `v`: Home Assistant refuses a device because of one unknown key.
    payload = _frame(settings) | {"cmps": _components(settings)}
    return Message(
        discovery_topic(settings), to_json(payload), retain=True, smaller=lambda: _single_entities(settings)
    )


def _single_entities(settings: MqttSettings) -> tuple[Message, ...]:
    """Returns one message per entity, after the withdrawal of the one that announces them all.

    Home Assistant ignores an entity that is announced in both ways.
    """
    announced = [empty(discovery_topic(settings))]
    for name, component in _components(settings).items():
        topic = entity_topics(settings).replace("+", component.pop("p"), 1).replace("+", name)
        payload = _frame(settings)
        if "availability" in component:
            del payload["availability_mode"]
        announced.append(Message(topic, to_json(payload | component), retain=True))
    return tuple(announced)


def _frame(settings: MqttSettings) -> dict[str, Any]:
    """Returns what every announcement holds: the device, the program, and what makes them available."""
    return {
        "dev": {
            "ids": [settings.client_id],
            "name": settings.device,
            "mdl": "emotiny",
            "sw": __version__,
        },
        "o": {"name": "emotiny", "sw": __version__},
        "availability": [{"topic": settings.topic("status")}, {"topic": settings.topic("camera")}],
        "availability_mode": "all",
    }


def _components(settings: MqttSettings) -> dict[str, dict[str, Any]]:
    """Returns the entities by name."""
    state, stats = settings.topic("state"), settings.topic("stats")

    def sensor(name: str, key: str, topic: str, **more: Any) -> dict[str, Any]:
        return {
            "p": "sensor",
            "name": name,
            "stat_t": topic,
            "val_tpl": "{{ value_json." + key + " }}",
            **more,
        }

    # A null value, for example when nobody is present or a board reports no temperature, is rendered as
    # "None", which Home Assistant takes for "unknown", whatever the options are.
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
        "face": {
            "p": "event",
            "name": "Face",
            "stat_t": settings.topic("event"),
            "event_types": list(EVENTS),
            # Not the camera's topic: when the camera goes, its message overtakes those of people who leave.
            "availability": [{"topic": settings.topic("status")}],
        },
        "camera": {
            "p": "binary_sensor",
            "name": "Camera",
            "stat_t": settings.topic("camera"),
            "payload_on": ONLINE,
            "payload_off": OFFLINE,
            "device_class": "connectivity",
            "entity_category": "diagnostic",
            # Not the camera's topic: this entity must stay available when the camera is gone.
            "availability": [{"topic": settings.topic("status")}],
        },
        "aim": {
            # No switch: no message opens the page.
            "p": "binary_sensor",
            "name": "Aiming page",
            "stat_t": settings.topic("aim"),
            "entity_category": "diagnostic",
            # If the program is killed, the broker keeps ON: the last will makes this unavailable then.
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
            # The broker keeps the command, so that reading stays off after a reboot.
            "retain": True,
            "availability": [{"topic": settings.topic("status")}],
        },
    }
    for name, component in components.items():
        component["unique_id"] = f"{settings.client_id}_{name}"
        # Not once for the whole device: up to 2026.5 Home Assistant accepts that, but ignores it.
        component["qos"] = 1
    return components
