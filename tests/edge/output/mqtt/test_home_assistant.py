"""The discovery message, checked by Home Assistant's rules, and the checker itself."""

import json
import re
from copy import deepcopy
from dataclasses import replace

import pytest

from edge.labels import EMOTIONS, GENDERS
from edge.output.mqtt import messages
from edge.output.mqtt.home_assistant import discovery
from edge.output.mqtt.reporter import Reporter
from edge.output.mqtt.settings import MqttSettings
from edge.output.mqtt.stamp import Stamper
from edge.types import UNCERTAIN, Box
from tests.support.home_assistant import event_problems, problems, shown_state

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
def test_the_discovery_message_follows_home_assistant_s_rules(more):
    message = discovery(MqttSettings(**({"device": "kitchen"} | more)))
    assert problems(message.topic, message.payload) == []
    assert message.retain


def test_every_component_subscribes_with_qos_1():
    payload = json.loads(discovery(SETTINGS).payload)
    assert {component["qos"] for component in payload["cmps"].values()} == {1}


def test_what_is_true_without_the_camera_stays_available_without_it():
    components = json.loads(discovery(SETTINGS).payload)["cmps"]
    for name in ("camera", "enabled", "face", "aim"):
        assert components[name]["availability"] == [{"topic": "emotiny/kitchen/status"}]


def test_the_page_for_aiming_is_shown_and_cannot_be_opened():
    page = json.loads(discovery(SETTINGS).payload)["cmps"]["aim"]
    assert (page["p"], page["entity_category"]) == ("binary_sensor", "diagnostic")
    assert not {"cmd_t", "command_topic"} & page.keys()
    for on, word in ((True, "on"), (False, "off")):
        message = messages.aiming(SETTINGS, Stamper().stamp("aim"), on=on)
        retained = {message.topic: message.payload, "emotiny/kitchen/status": "online"}
        assert shown_state(page, retained) == word
        assert shown_state(page, retained | {"emotiny/kitchen/status": "offline"}) == "unavailable"
    assert shown_state(page, {"emotiny/kitchen/status": "online"}) == "unknown"


def test_only_the_switch_s_command_is_retained():
    components = json.loads(discovery(SETTINGS).payload)["cmps"]
    assert [name for name, component in components.items() if component.get("retain")] == ["enabled"]


def test_every_label_is_an_option_and_every_template_finds_its_value(frame_and_report):
    components = json.loads(discovery(SETTINGS).payload)["cmps"]
    assert set(components["emotion"]["options"]) == {*EMOTIONS, UNCERTAIN}
    assert set(components["gender"]["options"]) == {*GENDERS, UNCERTAIN}
    payloads = {}
    _, report = frame_and_report(1, Box(1, 1, 50, 50))
    for message in Reporter(SETTINGS, Stamper()).messages(report, 0.0, {"unsent": 0, "lost": 0}):
        payloads[message.topic] = json.loads(message.payload)
    for name, component in components.items():
        if "val_tpl" in component:
            (key,) = re.findall(r"value_json\.(\w+)", component["val_tpl"])
            assert key in payloads[component["stat_t"]], name
    assert (
        messages.enabled(SETTINGS, Stamper().stamp("enabled/state"), on=True).topic
        == components["enabled"]["stat_t"]
    )


def test_labels_are_null_when_nobody_is_present(frame_and_report):
    reporter = Reporter(SETTINGS, Stamper())
    payloads = {m.topic: json.loads(m.payload) for m in reporter.messages(frame_and_report(1)[1], 0.0, {})}
    assert payloads["emotiny/kitchen/state"]["emotion"] is None
    assert payloads["emotiny/kitchen/state"]["gender"] is None


def test_home_assistant_takes_every_kind_of_event(frame_and_report):
    reporter, face = Reporter(SETTINGS, Stamper()), json.loads(discovery(SETTINGS).payload)["cmps"]["face"]
    _, present = frame_and_report(1, Box(1, 1, 50, 50))
    sad = replace(present.faces[0], emotion=replace(present.faces[0].emotion, label="sad"))
    published = [
        *reporter.messages(present, 0.0, {}),
        *reporter.messages(replace(present, faces=(sad,)), 1.0, {}),
        *reporter.everybody_left(2.0),
    ]
    events = [message for message in published if message.topic == face["stat_t"]]
    assert [event_problems(face, event.payload, retain=event.retain) for event in events] == [[]] * 3
    assert [json.loads(event.payload)["event_type"] for event in events] == face["event_types"]


@pytest.mark.parametrize(
    ("text", "retain", "problem"),
    [
        ("left", False, "no JSON"),
        ("[]", False, "no object"),
        ('{"event": "left"}', False, "no object with an event_type"),
        ('{"event_type": "gone"}', False, "event_type 'gone': not announced"),
        ('{"event_type": "left"}', True, "retained"),
    ],
)
def test_the_checker_finds_events_that_home_assistant_would_ignore(text, retain, problem):
    (found,) = event_problems({"event_types": ["left"]}, text, retain=retain)
    assert found.startswith(problem)


def replace_value(*path_and_value):
    *path, last, value = path_and_value

    def change(payload):
        at = payload
        for name in path:
            at = at[name]
        at[last] = value

    return change


def remove_key(*path):
    def change(payload):
        at = payload
        for name in path[:-1]:
            at = at[name]
        del at[path[-1]]

    return change


BROKEN = {
    "no identifiers": (remove_key("dev", "ids"), "device: neither identifiers nor connections"),
    "empty identifiers": (replace_value("dev", "ids", []), "device: neither identifiers nor connections"),
    "a version that is a number": (replace_value("dev", "sw", 1.0), "device.sw_version: no text"),
    "something unknown of the device": (replace_value("dev", "maker", "me"), "device.maker: unknown"),
    "no origin": (remove_key("o"), "origin: no name"),
    "an origin without a name": (remove_key("o", "name"), "origin: no name"),
    "no components": (replace_value("cmps", {}), "components: none"),
    "one unknown key beside them": (replace_value("retain", True), "retain: unknown beside the components"),
    "a component without a platform": (remove_key("cmps", "faces", "p"), "components.faces: platform None"),
    "an unknown platform": (
        replace_value("cmps", "faces", "p", "gauge"),
        "components.faces: platform 'gauge'",
    ),
    "no unique id": (remove_key("cmps", "fps", "unique_id"), "components.fps: unique_id: none"),
    "one unique id twice": (
        replace_value("cmps", "fps", "unique_id", "emotiny_kitchen_faces"),
        "components.fps: unique_id emotiny_kitchen_faces: another has it",
    ),
    "a key of another platform": (
        replace_value("cmps", "presence", "options", ["ON"]),
        "components.presence: options: unknown, and left out",
    ),
    "a mistyped abbreviation": (
        replace_value("cmps", "presence", "stat_topic", "x"),
        "components.presence: stat_topic: unknown, and left out",
    ),
    "an enum that is counted": (
        replace_value("cmps", "emotion", "state_class", "measurement"),
        "components.emotion: state_class, unit_of_measurement: not of enum",
    ),
    "an enum without options": (
        remove_key("cmps", "emotion", "options"),
        "components.emotion: options: an enum has",
    ),
    "an empty list of options": (
        replace_value("cmps", "emotion", "options", []),
        "components.emotion: options: none",
    ),
    "options of what is no enum": (
        remove_key("cmps", "emotion", "device_class"),
        "components.emotion: options: of use for enum only",
    ),
    "a temperature in frames": (
        replace_value("cmps", "temperature", "unit_of_measurement", "FPS"),
        "components.temperature: unit_of_measurement 'FPS': not of temperature",
    ),
    "a temperature without a unit": (
        remove_key("cmps", "temperature", "unit_of_measurement"),
        "components.temperature: unit_of_measurement None: not of temperature",
    ),
    "an unknown state class": (
        replace_value("cmps", "fps", "state_class", "average"),
        "components.fps: state_class 'average'",
    ),
    "a category that sensors do not have": (
        replace_value("cmps", "fps", "entity_category", "config"),
        "components.fps: entity_category 'config'",
    ),
    "an unknown device class": (
        replace_value("cmps", "presence", "device_class", "person"),
        "components.presence: device_class 'person'",
    ),
    "a switch without a command": (
        remove_key("cmps", "enabled", "cmd_t"),
        "components.enabled: command_topic: none",
    ),
    "a command to many": (
        replace_value("cmps", "enabled", "cmd_t", "emotiny/+/enabled/set"),
        "components.enabled: command_topic 'emotiny/+/enabled/set'",
    ),
    "a sensor without a state": (
        remove_key("cmps", "faces", "stat_t"),
        "components.faces: state_topic: none",
    ),
    "an event without types": (
        remove_key("cmps", "face", "event_types"),
        "components.face: event_types: none",
    ),
    "an event with a type twice": (
        replace_value("cmps", "face", "event_types", ["left", "left"]),
        "components.face: event_types: one twice",
    ),
    "an event whose type is a number": (
        replace_value("cmps", "face", "event_types", [1]),
        "components.face: event_types: no texts",
    ),
    "an event of a class of sensors": (
        replace_value("cmps", "face", "device_class", "occupancy"),
        "components.face: device_class 'occupancy'",
    ),
    "an event without a topic": (
        remove_key("cmps", "face", "stat_t"),
        "components.face: state_topic: none",
    ),
    "half a wildcard": (
        replace_value("cmps", "faces", "stat_t", "a/b+"),
        "components.faces: state_topic 'a/b+'",
    ),
    "a control character": (
        replace_value("cmps", "faces", "stat_t", "a\n"),
        "components.faces: state_topic 'a\\n'",
    ),
    "a template that does not end": (
        replace_value("cmps", "faces", "val_tpl", "{{ value_json.faces"),
        "components.faces: value_template '{{ value_json.faces'",
    ),
    "two kinds of availability": (
        replace_value("cmps", "camera", "availability_topic", "a"),
        "components.camera: availability and availability_topic: one of them",
    ),
    "one inherited, the other not": (
        replace_value("cmps", "faces", "avty_t", "a"),
        "components.faces: availability and availability_topic: one of them",
    ),
    "an unknown availability mode": (replace_value("availability_mode", "some"), "availability_mode 'some'"),
    "availability of no topic": (replace_value("availability", [{"topic": ""}]), "availability.topic ''"),
    "an unknown quality of service": (replace_value("cmps", "faces", "qos", 3), "components.faces: qos 3"),
}


@pytest.mark.parametrize(("change", "problem"), BROKEN.values(), ids=BROKEN.keys())
def test_the_checker_finds_what_home_assistant_would_refuse_or_ignore(change, problem):
    message = discovery(SETTINGS)
    payload = deepcopy(json.loads(message.payload))
    change(payload)
    assert any(each.startswith(problem) for each in problems(message.topic, json.dumps(payload)))


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
def test_the_checker_finds_what_is_not_a_discovery_message(topic, text):
    assert problems(topic, discovery(SETTINGS).payload if text is None else text)
