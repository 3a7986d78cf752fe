"""Whether Home Assistant would take a discovery payload of a device, and what of it would mean nothing.

From the documentation, in force since core 2024.11 unless said otherwise:

- https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload: topic, `device`, `origin`,
  `components`, `platform`, `unique_id`, shared options;
- .../mqtt/#using-availability-topics, .../mqtt/#supported-abbreviations-in-mqtt-discovery-messages;
- https://www.home-assistant.io/integrations/sensor.mqtt/, binary_sensor.mqtt/ and switch.mqtt/: keys of each;
- https://www.home-assistant.io/integrations/sensor/#device-class and binary_sensor/#device-class.

And from what core's source (components/mqtt, 2024.11 to 2026.5) was seen to do: one unknown key beside
`components` makes it refuse the whole device; one within a component is left out without a word; `qos` and
`encoding` beside `components` are legal but were handed on to no component until core pull request 170195
(May 2026); a template that renders "None" sets a sensor to unknown before its options are looked at.

Core 2024.11.3's own schemas refuse, or leave out, all that is called wrong here, but for: a text that is a
number, no component at all, a unique id that is there twice, an enum without options, a unit that is none of
its class, and a sensor's category `config`; the documentation, or a later step, wants these otherwise.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_TOPIC = re.compile(r"[^/]+/device/(?:[a-zA-Z0-9_-]+/)?[a-zA-Z0-9_-]+/config")
_SHORT = {
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
_SHORT_OF_DEVICE = {
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
_SHORT_OF_ORIGIN = {"sw": "sw_version", "url": "support_url"}

_OF_AVAILABILITY = {"topic", "payload_available", "payload_not_available", "value_template"}
_AVAILABILITY = {
    "availability",
    "availability_mode",
    "availability_template",
    "availability_topic",
    "payload_available",
    "payload_not_available",
}
_SHARED = _AVAILABILITY | {"command_topic", "state_topic"}
_OF_ROOT = _SHARED | {"device", "origin", "components", "qos", "encoding"}
_OF_DEVICE = {*_SHORT_OF_DEVICE.values(), "name", "via_device"}
_OF_ORIGIN = {"name", "sw_version", "support_url"}
_OF_ALL = _AVAILABILITY | {
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
_OF_PLATFORM = {
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
_CATEGORIES = {"sensor": {"diagnostic"}, "binary_sensor": {"diagnostic"}, "switch": {"diagnostic", "config"}}
_STATE_CLASSES = {"measurement", "measurement_angle", "total", "total_increasing"}
# Of the classes that a device such as ours may use; there are more.
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
    *("battery", "battery_charging", "carbon_monoxide", "cold", "connectivity", "door", "garage_door", "gas"),
    *("heat", "light", "lock", "moisture", "motion", "moving", "occupancy", "opening", "plug", "power"),
    *(
        "presence",
        "problem",
        "running",
        "safety",
        "smoke",
        "sound",
        "tamper",
        "update",
        "vibration",
        "window",
    ),
}
_SWITCH_CLASSES = {"outlet", "switch"}


def problems(topic: str, text: str) -> list[str]:
    """What is wrong with a discovery message; empty where nothing is."""
    found = [] if _TOPIC.fullmatch(topic) else [f"{topic}: no topic of a device"]
    try:
        payload = json.loads(text)
    except ValueError as error:
        return [*found, f"no JSON: {error}"]
    if not isinstance(payload, dict):
        return [*found, "no object"]
    return [*found, *_of_root(_long(payload, _SHORT))]


def _long(fields: Mapping[str, Any], short: Mapping[str, str]) -> dict[str, Any]:
    return {short.get(name, name): value for name, value in fields.items()}


def _of_root(root: dict[str, Any]) -> Iterator[str]:
    yield from (f"{name}: unknown beside the components" for name in root.keys() - _OF_ROOT)
    device = _long(root.get("device") or {}, _SHORT_OF_DEVICE)
    if not (device.get("identifiers") or device.get("connections")):
        yield "device: neither identifiers nor connections"
    yield from (f"device.{name}: unknown" for name in device.keys() - _OF_DEVICE)
    yield from (
        f"device.{name}: no text"
        for name, value in device.items()
        if name not in {"identifiers", "connections"} and not isinstance(value, str)
    )
    origin = _long(root.get("origin") or {}, _SHORT_OF_ORIGIN)
    if not isinstance(origin.get("name"), str):
        yield "origin: no name"
    yield from (f"origin.{name}: unknown" for name in origin.keys() - _OF_ORIGIN)
    yield from _of_common(root)
    components = root.get("components")
    if not isinstance(components, dict) or not components:
        yield "components: none"
        return
    ids: set[Any] = set()
    for name, short in components.items():
        if not isinstance(short, dict):
            yield f"components.{name}: no object"
            continue
        component = _long(short, _SHORT)
        shared = {key: root[key] for key in _SHARED & root.keys() - component.keys()}
        # Legal, but meant by nobody: a command topic that a sensor would inherit is no key of a sensor.
        yield from (f"components.{name}: {text}" for text in _of_component(component, shared, ids))


def _of_component(own: dict[str, Any], shared: dict[str, Any], ids: set[Any]) -> Iterator[str]:
    platform = own.get("platform")
    if platform not in _OF_PLATFORM:
        yield f"platform {platform!r}"
        return
    if not isinstance(own.get("unique_id"), str):
        yield "unique_id: none"
    elif own["unique_id"] in ids:
        yield f"unique_id {own['unique_id']}: another has it"
    ids.add(own.get("unique_id"))
    yield from (f"{name}: unknown, and left out" for name in own.keys() - _OF_ALL - _OF_PLATFORM[platform])
    whole = shared | own
    yield from _of_common(whole)
    if "state_topic" not in whole and platform != "switch":
        yield "state_topic: none"
    if platform == "switch" and "command_topic" not in whole:
        yield "command_topic: none"
    if own.get("entity_category", "diagnostic") not in _CATEGORIES[platform]:
        yield f"entity_category {own['entity_category']!r}"
    template = own.get("value_template", "")
    if template.count("{{") != template.count("}}") or template.count("{%") != template.count("%}"):
        yield f"value_template {template!r}"
    if platform == "sensor":
        yield from _of_sensor(own)
    kind = own.get("device_class")
    known = {"sensor": set(_UNITS), "binary_sensor": _BINARY_CLASSES, "switch": _SWITCH_CLASSES}[platform]
    if kind is not None and kind not in known:
        yield f"device_class {kind!r}"


def _of_sensor(own: dict[str, Any]) -> Iterator[str]:
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


def _of_common(fields: dict[str, Any]) -> Iterator[str]:
    if "availability" in fields and "availability_topic" in fields:
        yield "availability and availability_topic: one of them"
    if fields.get("availability_mode", "all") not in {"all", "any", "latest"}:
        yield f"availability_mode {fields['availability_mode']!r}"
    topics = [(name, fields[name]) for name in sorted(fields) if name.endswith("_topic")]
    several = fields.get("availability", [])
    for each in several if isinstance(several, list) else [several]:
        entry = _long(each, _SHORT) if isinstance(each, dict) else {}
        yield from (f"availability.{name}: unknown" for name in entry.keys() - _OF_AVAILABILITY)
        topics.append(("availability.topic", entry.get("topic")))
    for name, topic in topics:
        if not _may_be_topic(topic, publish=name == "command_topic"):
            yield f"{name} {topic!r}"
    if fields.get("qos", 0) not in {0, 1, 2} or isinstance(fields.get("qos"), bool):
        yield f"qos {fields['qos']!r}"


def _may_be_topic(topic: Any, *, publish: bool) -> bool:
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
