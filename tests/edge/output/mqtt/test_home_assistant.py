"""What Home Assistant is told of a device, judged by its own rules."""

import json
import re
from copy import deepcopy

import pytest

from edge.labels import EMOTIONS, GENDERS
from edge.output.mqtt import messages
from edge.output.mqtt.home_assistant import discovery
from edge.output.mqtt.reporter import Reporter
from edge.output.mqtt.settings import MqttSettings
from edge.types import UNCERTAIN, Box
from tests.support.home_assistant import problems

SETTINGS = MqttSettings(device="kitchen")


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"device": "a"},
        {"device": "x" * 64, "base": "y" * 64, "discovery": "z" * 64},
        {"device": "-_-", "base": "9", "discovery": "ha-2"},
        {"version": "3.1.1", "transport": "websockets"},
    ],
)
def test_home_assistant_takes_what_it_is_told(more):
    message = discovery(MqttSettings(**({"device": "kitchen"} | more)))
    assert problems(message.topic, message.payload) == []
    assert message.retain


def test_every_component_asks_for_its_messages_to_arrive():
    payload = json.loads(discovery(SETTINGS).payload)
    assert {component["qos"] for component in payload["cmps"].values()} == {1}


def test_what_the_camera_and_the_switch_say_does_not_go_with_the_camera():
    components = json.loads(discovery(SETTINGS).payload)["cmps"]
    for name in ("camera", "enabled"):
        assert components[name]["availability"] == [{"topic": "emotiny/kitchen/status"}]


def test_a_switch_is_a_standing_order():
    components = json.loads(discovery(SETTINGS).payload)["cmps"]
    assert [name for name, component in components.items() if component.get("retain")] == ["enabled"]


def test_every_label_is_an_option_and_every_template_finds_its_value(frame_and_report):
    components = json.loads(discovery(SETTINGS).payload)["cmps"]
    assert set(components["emotion"]["options"]) == {*EMOTIONS, UNCERTAIN}
    assert set(components["gender"]["options"]) == {*GENDERS, UNCERTAIN}
    said = {}
    _, report = frame_and_report(1, Box(1, 1, 50, 50))
    for message in Reporter(SETTINGS).messages(report, 0.0, {"unsent": 0, "lost": 0}):
        said[message.topic] = json.loads(message.payload)
    for name, component in components.items():
        if "val_tpl" in component:
            (key,) = re.findall(r"value_json\.(\w+)", component["val_tpl"])
            assert key in said[component["stat_t"]], name
    assert messages.enabled(SETTINGS, on=True).topic == components["enabled"]["stat_t"]


def test_nobody_is_null_which_is_unknown(frame_and_report):
    reporter = Reporter(SETTINGS)
    said = {m.topic: json.loads(m.payload) for m in reporter.messages(frame_and_report(1)[1], 0.0, {})}
    assert said["emotiny/kitchen/state"]["emotion"] is None
    assert said["emotiny/kitchen/state"]["gender"] is None


def set_(*path_and_value):
    *path, last, value = path_and_value

    def change(payload):
        at = payload
        for name in path:
            at = at[name]
        at[last] = value

    return change


def drop(*path):
    def change(payload):
        at = payload
        for name in path[:-1]:
            at = at[name]
        del at[path[-1]]

    return change


BROKEN = {
    "no identifiers": (drop("dev", "ids"), "device: neither identifiers nor connections"),
    "empty identifiers": (set_("dev", "ids", []), "device: neither identifiers nor connections"),
    "a version that is a number": (set_("dev", "sw", 1.0), "device.sw_version: no text"),
    "something unknown of the device": (set_("dev", "maker", "me"), "device.maker: unknown"),
    "no origin": (drop("o"), "origin: no name"),
    "an origin without a name": (drop("o", "name"), "origin: no name"),
    "no components": (set_("cmps", {}), "components: none"),
    "one unknown key beside them": (set_("retain", True), "retain: unknown beside the components"),
    "a component without a platform": (drop("cmps", "faces", "p"), "components.faces: platform None"),
    "a platform that is none": (set_("cmps", "faces", "p", "gauge"), "components.faces: platform 'gauge'"),
    "no unique id": (drop("cmps", "fps", "unique_id"), "components.fps: unique_id: none"),
    "one unique id twice": (
        set_("cmps", "fps", "unique_id", "emotiny_kitchen_faces"),
        "components.fps: unique_id emotiny_kitchen_faces: another has it",
    ),
    "a key of another platform": (
        set_("cmps", "presence", "options", ["ON"]),
        "components.presence: options: unknown, and left out",
    ),
    "a mistyped abbreviation": (
        set_("cmps", "presence", "stat_topic", "x"),
        "components.presence: stat_topic: unknown, and left out",
    ),
    "an enum that is counted": (
        set_("cmps", "emotion", "state_class", "measurement"),
        "components.emotion: state_class, unit_of_measurement: not of enum",
    ),
    "an enum without options": (
        drop("cmps", "emotion", "options"),
        "components.emotion: options: an enum has",
    ),
    "an empty list of options": (set_("cmps", "emotion", "options", []), "components.emotion: options: none"),
    "options of what is no enum": (
        drop("cmps", "emotion", "device_class"),
        "components.emotion: options: of use for enum only",
    ),
    "a temperature in frames": (
        set_("cmps", "temperature", "unit_of_measurement", "FPS"),
        "components.temperature: unit_of_measurement 'FPS': not of temperature",
    ),
    "a temperature without a unit": (
        drop("cmps", "temperature", "unit_of_measurement"),
        "components.temperature: unit_of_measurement None: not of temperature",
    ),
    "a state class that is none": (
        set_("cmps", "fps", "state_class", "average"),
        "components.fps: state_class 'average'",
    ),
    "a category that is none of a sensor": (
        set_("cmps", "fps", "entity_category", "config"),
        "components.fps: entity_category 'config'",
    ),
    "a device class that is none": (
        set_("cmps", "presence", "device_class", "person"),
        "components.presence: device_class 'person'",
    ),
    "a switch without a command": (
        drop("cmps", "enabled", "cmd_t"),
        "components.enabled: command_topic: none",
    ),
    "a command to many": (
        set_("cmps", "enabled", "cmd_t", "emotiny/+/enabled/set"),
        "components.enabled: command_topic 'emotiny/+/enabled/set'",
    ),
    "a sensor without a state": (drop("cmps", "faces", "stat_t"), "components.faces: state_topic: none"),
    "half a wildcard": (set_("cmps", "faces", "stat_t", "a/b+"), "components.faces: state_topic 'a/b+'"),
    "a control character": (set_("cmps", "faces", "stat_t", "a\n"), "components.faces: state_topic 'a\\n'"),
    "a template that does not end": (
        set_("cmps", "faces", "val_tpl", "{{ value_json.faces"),
        "components.faces: value_template '{{ value_json.faces'",
    ),
    "two kinds of availability": (
        set_("cmps", "camera", "availability_topic", "a"),
        "components.camera: availability and availability_topic: one of them",
    ),
    "one inherited, the other not": (
        set_("cmps", "faces", "avty_t", "a"),
        "components.faces: availability and availability_topic: one of them",
    ),
    "a mode that is none": (set_("availability_mode", "some"), "availability_mode 'some'"),
    "availability of no topic": (set_("availability", [{"topic": ""}]), "availability.topic ''"),
    "a level that is none": (set_("cmps", "faces", "qos", 3), "components.faces: qos 3"),
}


@pytest.mark.parametrize(("change", "said"), BROKEN.values(), ids=BROKEN.keys())
def test_what_home_assistant_would_refuse_or_leave_out_is_found(change, said):
    message = discovery(SETTINGS)
    payload = deepcopy(json.loads(message.payload))
    change(payload)
    assert any(each.startswith(said) for each in problems(message.topic, json.dumps(payload)))


@pytest.mark.parametrize(
    ("topic", "text"),
    [
        ("homeassistant/device/a b/config", None),
        ("homeassistant/device/config", None),
        ("homeassistant/sensor/emotiny_kitchen/config", None),
        ("homeassistant/device/emotiny_kitchen/config", "{"),
        ("homeassistant/device/emotiny_kitchen/config", "[]"),
    ],
)
def test_a_message_that_is_none_is_found(topic, text):
    assert problems(topic, discovery(SETTINGS).payload if text is None else text)
