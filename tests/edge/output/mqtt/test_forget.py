"""Removing a device's retained messages from the broker."""

import pytest

from edge.cli.main import main
from edge.errors import ConfigError, OutputError
from edge.output.mqtt.forget import forget
from edge.output.mqtt.settings import MqttSettings
from edge.types import Box
from tests.support.broker import Broker, free_port, needs_mosquitto, retained_on, wait_until

pytestmark = needs_mosquitto

TOPICS = [
    "homeassistant/device/emotiny_kitchen/config",
    *(f"emotiny/kitchen/{name}" for name in ("status", "camera", "state", "enabled/state", "aim")),
    "emotiny/kitchen/enabled/set",
]


def run_device(port, sink_on, frame_and_report, topics=TOPICS[:-1], login=None, **more):
    """Runs a device until its messages are retained on the broker, and ends it."""
    sink = sink_on(port, **more)
    sink.send(*frame_and_report(1, Box(100, 60, 80, 80)))
    wait_until(lambda: retained_on(port, login).keys() >= set(topics))
    sink.close()


def test_all_messages_of_the_device_are_removed_and_no_others(
    broker, listener, sink_on, frame_and_report, capsys
):
    listener.client.publish("emotiny/kitchen/enabled/set", b"ON", 1, retain=True).wait_for_publish(5)
    listener.client.publish("emotiny/hall/status", b"online", 1, retain=True).wait_for_publish(5)
    run_device(broker.port, sink_on, frame_and_report)
    assert retained_on(broker.port).keys() == {*TOPICS, "emotiny/hall/status"}
    flags = ["--mqtt-host", "127.0.0.1", "--mqtt-port", str(broker.port), "--mqtt-device", "kitchen"]
    assert main(["forget", *flags]) == 0
    assert retained_on(broker.port).keys() == {"emotiny/hall/status"}
    out = capsys.readouterr().out
    assert out.splitlines() == [f"{topic}: nothing is kept any more" for topic in TOPICS]
    assert main(["forget", *flags]) == 0  # again, where there is nothing


def test_a_device_that_earlier_settings_announced(broker, sink_on, frame_and_report):
    run_device(broker.port, sink_on, frame_and_report)
    now = MqttSettings(host="127.0.0.1", port=broker.port, device="kitchen", discovery="")
    assert len(list(forget(now, 10))) == len(TOPICS)
    assert retained_on(broker.port) == {}


def test_a_device_whose_entities_were_announced_one_by_one(tmp_path, sink_on, frame_and_report):
    broker = Broker(tmp_path, "max_packet_size 1000")
    run_device(broker.port, sink_on, frame_and_report, TOPICS[1:-1])
    kept = retained_on(broker.port).keys()
    assert sum(topic.endswith("/config") for topic in kept) == 11
    assert len(list(forget(MqttSettings(host="127.0.0.1", port=broker.port, device="kitchen"), 10))) == 18
    assert retained_on(broker.port) == {}
    broker.kill()


def test_a_device_that_still_runs_is_reported(broker, sink_on, frame_and_report):
    sink = sink_on(broker.port)
    sink.send(*frame_and_report(1))
    status = "emotiny/kitchen/status"
    wait_until(
        lambda: status in (retained := retained_on(broker.port)) and retained[status].payload == b"online"
    )
    *_, last = forget(MqttSettings(host="127.0.0.1", port=broker.port, device="kitchen"), 10)
    assert last == "kitchen was online: if it still runs it announces itself again; stop it first"


def test_topics_that_the_access_list_forbids_are_reported_after_the_rest(
    locked_with, sink_on, frame_and_report
):
    broker = locked_with("user ear\ntopic read #\n\nuser kitchen\ntopic readwrite emotiny/kitchen/#\n")
    listener, password = ("ear", "secret of ear"), "secret of kitchen"
    run_device(
        *(broker.port, sink_on, frame_and_report, TOPICS[1:-1], listener),
        username="kitchen",
        password=password,
    )
    assert retained_on(broker.port, listener).keys() == set(TOPICS[1:-1])
    lines = forget(
        MqttSettings(
            host="127.0.0.1",
            port=broker.port,
            device="kitchen",
            username="kitchen",
            password=password,
        ),
        10,
    )
    with pytest.raises(
        ConfigError, match=f"Not authorized on {TOPICS[0]}; let this user write {TOPICS[0]} in"
    ):
        list(lines)
    assert retained_on(broker.port, listener) == {}


def test_a_refusal_and_an_absent_broker_are_explained(locked):
    with pytest.raises(ConfigError, match="refuses: Not authorized; are mqtt"):
        list(forget(MqttSettings(host="127.0.0.1", port=locked.port), 10))
    with pytest.raises(OutputError, match="cannot be reached \\(Connection refused\\)"):
        list(forget(MqttSettings(host="127.0.0.1", port=free_port()), 10))


def test_without_a_broker_there_is_nothing_to_forget(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    empty = tmp_path / "config.toml"
    empty.touch()
    assert main(["forget", "--config", str(empty)]) == 0
    assert "no broker is set (mqtt.host)" in capsys.readouterr().out
