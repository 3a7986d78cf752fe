"""Checks a discovery message of a device, and the messages of events, by the rules of Home Assistant.

The rules come from the documentation and hold since core 2024.11 unless stated otherwise:
- https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload: topic, `device`, `origin`,
  `components`, `platform`, `unique_id`, shared options;
- .../mqtt/#using-availability-topics, .../mqtt/#supported-abbreviations-in-mqtt-discovery-messages;
- https://www.home-assistant.io/integrations/sensor.mqtt/, binary_sensor.mqtt/, switch.mqtt/ and event.mqtt/:
  keys of each;
- https://www.home-assistant.io/integrations/sensor/#device-class, binary_sensor/#device-class and
  event/#device-class.

Others come from core's source (components/mqtt, 2024.11 to 2026.5): an unknown key next to `components` makes
it refuse the whole device, while one within a component is silently ignored; `qos` and `encoding` next to
`components` are allowed but had no effect until core pull request 170195 (May 2026); a template that renders
"None" sets a sensor to unknown before its options are checked; an event is ignored if it is retained, no JSON
object, or of a type that was not announced (components/mqtt/event.py).

The schemas of core 2024.11.3 refuse or ignore everything that is reported here, except for these, which the
documentation or a later step forbids: a text that is a number, no components at all, a unique id that occurs
twice, an enum or an event without options, a unit that does not fit the device class, and a sensor's category
`config`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_TOPIC = re.compile(r"[^/]+/device/(?:[a-zA-Z0-9_-]+/)?[a-zA-Z0-9_-]+/config")
_ENTITY_TOPIC = re.compile(r"[^/]+/(?P<platform>\w+)/[a-zA-Z0-9_-]+/(?P<name>[a-zA-Z0-9_-]+)/config")
_ABBREVIATIONS = {
    "avty": "availability",
    "avty_mode": "availability_mode",
    "avty_t": "availability_topic",
    "avty_tpl": "availability_template",
    "cmd_t": "command_topic",
    "cmd_tpl": "command_template",
    "cmps": "components",
    "dev": "device",
    "dev_cla": "device_class",
    "e": "encoding",
    "en": "enabled_by_default",
    "ent_cat": "entity_category",
    "evt_typ": "event_types",
    "exp_aft": "expire_after",
    "frc_upd": "force_update",
    "ic": "icon",
    "json_attr_t": "json_attributes_topic",
    "json_attr_tpl": "json_attributes_template",
    "lrst_val_tpl": "last_reset_value_template",
    "o": "origin",
    "obj_id": "object_id",
    "off_dly": "off_delay",
    "ops": "options",
    "opt": "optimistic",
    "p": "platform",
    "pl_avail": "payload_available",
    "pl_not_avail": "payload_not_available",
    "pl_off": "payload_off",
    "pl_on": "payload_on",
    "ret": "retain",
    "stat_cla": "state_class",
    "stat_off": "state_off",
    "stat_on": "state_on",
    "stat_t": "state_topic",
    "sug_dsp_prc": "suggested_display_precision",
    "t": "topic",
    "uniq_id": "unique_id",
    "unit_of_meas": "unit_of_measurement",
    "val_tpl": "value_template",
}
_DEVICE_ABBREVIATIONS = {
    "cns": "connections",
    "cu": "configuration_url",
    "hw": "hw_version",
    "ids": "identifiers",
    "mdl": "model",
    "mdl_id": "model_id",
    "mf": "manufacturer",
    "sa": "suggested_area",
    "sn": "serial_number",
    "sw": "sw_version",
}
_ORIGIN_ABBREVIATIONS = {"sw": "sw_version", "url": "support_url"}

_AVAILABILITY_ENTRY_KEYS = {"topic", "payload_available", "payload_not_available", "value_template"}
_AVAILABILITY = {
    "availability",
    "availability_mode",
    "availability_template",
    "availability_topic",
    "payload_available",
    "payload_not_available",
}
_SHARED = _AVAILABILITY | {"command_topic", "state_topic"}
_ROOT_KEYS = _SHARED | {"device", "origin", "components", "qos", "encoding"}
_DEVICE_KEYS = {*_DEVICE_ABBREVIATIONS.values(), "name", "via_device"}
_ORIGIN_KEYS = {"name", "sw_version", "support_url"}
_COMMON_KEYS = _AVAILABILITY | {
    "default_entity_id",
    "device_class",
    "enabled_by_default",
    "encoding",
    "entity_category",
    "entity_picture",
    "icon",
    "json_attributes_template",
    "json_attributes_topic",
    "name",
    "object_id",
    "platform",
    "qos",
    "state_topic",
    "unique_id",
    "value_template",
}
_PLATFORM_KEYS = {
    "sensor": {
        "expire_after",
        "force_update",
        "last_reset_value_template",
        "options",
        "state_class",
        "suggested_display_precision",
        "unit_of_measurement",
    },
    "binary_sensor": {"expire_after", "force_update", "off_delay", "payload_off", "payload_on"},
    "event": {"event_types"},
    "switch": {
        "command_template",
        "command_topic",
        "optimistic",
        "payload_off",
        "payload_on",
        "retain",
        "state_off",
        "state_on",
    },
}
_CATEGORIES = {
    "sensor": {"diagnostic"},
    "binary_sensor": {"diagnostic"},
    "event": {"diagnostic"},
    "switch": {"diagnostic", "config"},
}
_STATE_CLASSES = {"measurement", "measurement_angle", "total", "total_increasing"}
# Units of the device classes that a device such as ours may use; there are more classes.
_UNITS: dict[str, set[str | None]] = {
    "battery": {"%"},
    "data_rate": {"bit/s", "kbit/s", "Mbit/s", "B/s", "kB/s", "MB/s"},
    "data_size": {"bit", "kbit", "Mbit", "B", "kB", "MB", "GB"},
    "date": {None},
    "duration": {"d", "h", "min", "s", "ms", "µs"},
    "enum": {None},
    "frequency": {"Hz", "kHz", "MHz", "GHz"},
    "humidity": {"%"},
    "power": {"mW", "W", "kW", "MW", "GW", "TW"},
    "signal_strength": {"dB", "dBm"},
    "temperature": {"°C", "°F", "K"},
    "timestamp": {None},
    "voltage": {"µV", "mV", "V", "kV", "MV"},
}
_NOT_NUMBERS = {"date", "enum", "timestamp"}
_BINARY_CLASSES = {
    *("battery", "battery_charging", "carbon_monoxide", "cold", "connectivity"),
    *("door", "garage_door", "gas", "heat", "light"),
    *("lock", "moisture", "motion", "moving", "occupancy"),
    *("opening", "plug", "power", "presence", "problem"),
    *("running", "safety", "smoke", "sound", "tamper"),
    *("update", "vibration", "window"),
}
_CLASSES = {
    "sensor": set(_UNITS),
    "binary_sensor": _BINARY_CLASSES,
    "event": {"button", "doorbell", "motion"},
    "switch": {"outlet", "switch"},
}


def problems(topic: str, text: str) -> list[str]:
    """Returns what is wrong with a discovery message, one line per problem; empty if it is valid."""
    found = [] if _TOPIC.fullmatch(topic) else [f"{topic}: no topic of a device"]
    try:
        payload = json.loads(text)
    except ValueError as error:
        return [*found, f"no JSON: {error}"]
    if not isinstance(payload, dict):
        return [*found, "no object"]
    return [*found, *_check_root(_expand(payload, _ABBREVIATIONS))]


def entity_problems(topic: str, text: str) -> list[str]:
    """Returns what is wrong with a message that announces a single entity; empty if it is valid.

    Such a message holds the fields of a component, `device` and `origin`; the topic names the platform
    (https://www.home-assistant.io/integrations/mqtt/#discovery-messages-and-availability).
    """
    parts = _ENTITY_TOPIC.fullmatch(topic)
    if parts is None:
        return [f"{topic}: no topic of an entity"]
    payload = json.loads(text)
    device = {key: payload.pop(key) for key in ("dev", "o")}
    if "p" in payload or "platform" in payload:
        return ["platform: the topic names it"]
    component = {parts["name"]: {"p": parts["platform"], **payload}}
    return list(_check_root(_expand({**device, "cmps": component}, _ABBREVIATIONS)))


def event_problems(component: Mapping[str, Any], text: str, *, retain: bool) -> list[str]:
    """Returns why Home Assistant would ignore a message of an event entity; empty if it is taken.

    Args:
        component: The entity as it was announced; a `value_template` is not applied.
        text: Payload of the message.
        retain: Whether the message was retained by the broker.
    """
    types = _expand(component, _ABBREVIATIONS)["event_types"]
    try:
        payload = json.loads(text)
    except ValueError as error:
        return [f"no JSON: {error}"]
    found = ["retained"] if retain else []
    if not isinstance(payload, dict) or "event_type" not in payload:
        return [*found, "no object with an event_type"]
    kind = payload["event_type"]
    return found if kind in types else [*found, f"event_type {kind!r}: not announced"]


def shown_state(component: Mapping[str, Any], retained: Mapping[str, str]) -> str:
    """Returns what Home Assistant shows of a binary sensor: on, off, unavailable or unknown.

    Args:
        component: The entity as it was announced, with an availability of its own and without a template.
        retained: {topic: payload} of the messages that the broker keeps.
    """
    own = _expand(component, _ABBREVIATIONS)
    if any(retained.get(each["topic"]) != "online" for each in own["availability"]):
        return "unavailable"
    words = {own.get("payload_on", "ON"): "on", own.get("payload_off", "OFF"): "off"}
    return words.get(retained.get(own["state_topic"], ""), "unknown")


def _expand(fields: Mapping[str, Any], abbreviations: Mapping[str, str]) -> dict[str, Any]:
    return {abbreviations.get(name, name): value for name, value in fields.items()}


def _check_root(root: dict[str, Any]) -> Iterator[str]:
    yield from (f"{name}: unknown beside the components" for name in root.keys() - _ROOT_KEYS)
    device = _expand(root.get("device") or {}, _DEVICE_ABBREVIATIONS)
    if not (device.get("identifiers") or device.get("connections")):
        yield "device: neither identifiers nor connections"
    yield from (f"device.{name}: unknown" for name in device.keys() - _DEVICE_KEYS)
    yield from (
        f"device.{name}: no text"
        for name, value in device.items()
        if name not in {"identifiers", "connections"} and not isinstance(value, str)
    )
    origin = _expand(root.get("origin") or {}, _ORIGIN_ABBREVIATIONS)
    if not isinstance(origin.get("name"), str):
        yield "origin: no name"
    yield from (f"origin.{name}: unknown" for name in origin.keys() - _ORIGIN_KEYS)
    yield from _check_common(root)
    components = root.get("components")
    if not isinstance(components, dict) or not components:
        yield "components: none"
        return
    ids: set[Any] = set()
    for name, short in components.items():
        if not isinstance(short, dict):
            yield f"components.{name}: no object"
            continue
        component = _expand(short, _ABBREVIATIONS)
        shared = {key: root[key] for key in _SHARED & root.keys() - component.keys()}
        # Inherited keys need not fit the platform: Home Assistant ignores a sensor's command topic.
        yield from (f"components.{name}: {text}" for text in _check_component(component, shared, ids))


def _check_component(own: dict[str, Any], shared: dict[str, Any], ids: set[Any]) -> Iterator[str]:
    platform = own.get("platform")
    if platform not in _PLATFORM_KEYS:
        yield f"platform {platform!r}"
        return
    if not isinstance(own.get("unique_id"), str):
        yield "unique_id: none"
    elif own["unique_id"] in ids:
        yield f"unique_id {own['unique_id']}: another has it"
    ids.add(own.get("unique_id"))
    yield from (
        f"{name}: unknown, and left out" for name in own.keys() - _COMMON_KEYS - _PLATFORM_KEYS[platform]
    )
    merged = shared | own
    yield from _check_common(merged)
    if "state_topic" not in merged and platform != "switch":
        yield "state_topic: none"
    if platform == "switch" and "command_topic" not in merged:
        yield "command_topic: none"
    if own.get("entity_category", "diagnostic") not in _CATEGORIES[platform]:
        yield f"entity_category {own['entity_category']!r}"
    template = own.get("value_template", "")
    if template.count("{{") != template.count("}}") or template.count("{%") != template.count("%}"):
        yield f"value_template {template!r}"
    if platform == "sensor":
        yield from _check_sensor(own)
    if platform == "event":
        yield from _check_event(own)
    kind = own.get("device_class")
    if kind is not None and kind not in _CLASSES[platform]:
        yield f"device_class {kind!r}"


def _check_sensor(own: dict[str, Any]) -> Iterator[str]:
    kind, state, unit = (own.get(name) for name in ("device_class", "state_class", "unit_of_measurement"))
    if state is not None and state not in _STATE_CLASSES:
        yield f"state_class {state!r}"
    if "options" in own:
        if not isinstance(own["options"], list) or not own["options"]:
            yield "options: none"
        elif len(set(own["options"])) < len(own["options"]):
            yield "options: one twice"
        if kind != "enum":
            yield "options: of use for enum only"
    elif kind == "enum":
        yield "options: an enum has some"
    if kind in _NOT_NUMBERS and (state or unit):
        yield f"state_class, unit_of_measurement: not of {kind}"
    elif kind in _UNITS and unit not in _UNITS[kind]:
        yield f"unit_of_measurement {unit!r}: not of {kind}"
    if "last_reset_value_template" in own and state != "total":
        yield "last_reset_value_template: of use for total only"


def _check_event(own: dict[str, Any]) -> Iterator[str]:
    types = own.get("event_types")
    if not isinstance(types, list) or not types:
        yield "event_types: none"
    elif not all(isinstance(each, str) for each in types):
        yield "event_types: no texts"
    elif len(set(types)) < len(types):
        yield "event_types: one twice"


def _check_common(fields: dict[str, Any]) -> Iterator[str]:
    if "availability" in fields and "availability_topic" in fields:
        yield "availability and availability_topic: one of them"
    if fields.get("availability_mode", "all") not in {"all", "any", "latest"}:
        yield f"availability_mode {fields['availability_mode']!r}"
    topics = [(name, fields[name]) for name in sorted(fields) if name.endswith("_topic")]
    several = fields.get("availability", [])
    for each in several if isinstance(several, list) else [several]:
        entry = _expand(each, _ABBREVIATIONS) if isinstance(each, dict) else {}
        yield from (f"availability.{name}: unknown" for name in entry.keys() - _AVAILABILITY_ENTRY_KEYS)
        topics.append(("availability.topic", entry.get("topic")))
    for name, topic in topics:
        if not _is_topic(topic, publish=name == "command_topic"):
            yield f"{name} {topic!r}"
    if fields.get("qos", 0) not in {0, 1, 2} or isinstance(fields.get("qos"), bool):
        yield f"qos {fields['qos']!r}"


def _is_topic(topic: Any, *, publish: bool) -> bool:
    if not isinstance(topic, str) or not topic or len(topic.encode("utf-8", "replace")) > 65535:
        return False
    if any(each < " " or "\x7f" <= each <= "\x9f" for each in topic):
        return False
    levels = topic.split("/")
    if publish:
        return "+" not in topic and "#" not in topic
    return all("+" not in level or level == "+" for level in levels) and (
        "#" not in topic or (levels[-1] == "#" and topic.count("#") == 1)
    )
