"""Commands that switch reading on and off, and whatever else a client may send."""

import contextlib
import json
import logging
import signal
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.output.mqtt.settings import MqttSettings
from edge.output.mqtt.sink import MqttSink
from tests.support.broker import LIMIT_S, Broker, Listener, needs_mosquitto, wait_until
from tests.support.clock import Clock
from tests.support.payloads import PAYLOADS

pytestmark = needs_mosquitto


def test_reading_is_switched_off_and_on_and_other_payloads_are_refused(broker, listener, sink_on, caplog):
    switched: list[bool] = []
    sink_on(broker.port, switch=switched.append)
    listener.wait_topic("emotiny/kitchen/status", "online")
    for payload in (b"off", b"", b"OFF\n", b"ON" * 100_000, b"\xff\x00", b"OFF"):
        listener.client.publish("emotiny/kitchen/enabled/set", payload, 1)
    listener.wait_topic("emotiny/kitchen/enabled/state", "OFF")
    assert switched == [False]
    lines = [text for record in caplog.records if "expected ON or OFF" in (text := record.getMessage())]
    assert len(lines) == 1  # the next one, with the number of others, is due ten seconds later
    assert len(lines[0]) < 200
    listener.clear()
    listener.client.publish("emotiny/kitchen/enabled/set", b"ON", 1)
    listener.wait_topic("emotiny/kitchen/enabled/state", "ON")
    assert switched == [False, True]


def test_a_sink_publishes_at_the_start_whether_it_reads(broker, listener):
    settings = MqttSettings(host="127.0.0.1", port=broker.port, device="kitchen")
    with contextlib.closing(MqttSink(settings, reading=False)):
        listener.wait_topic("emotiny/kitchen/enabled/state", "OFF")
        assert json.loads(listener.wait_topic("emotiny/kitchen/state").payload)["presence"] == "OFF"
    assert not [
        m for m in listener.received if m.topic == "emotiny/kitchen/enabled/state" and m.payload == b"ON"
    ]


def test_an_unchanged_state_is_not_published_again(broker, listener, sink_on):
    sink = sink_on(broker.port)
    listener.wait_topic("emotiny/kitchen/enabled/state", "ON")
    sink.set_reading(on=True)
    wait_until(lambda: sink.unsent == 0)
    sink.set_reading(on=False)
    listener.wait_topic("emotiny/kitchen/enabled/state", "OFF")
    states = [m.payload for m in listener.received if m.topic == "emotiny/kitchen/enabled/state"]
    assert states == [b"ON", b"OFF"]


def test_a_retained_command_goes_before_the_state_at_the_start(broker, listener):
    listener.client.publish("emotiny/kitchen/enabled/set", b"OFF", 1, retain=True).wait_for_publish(5)
    switched: list[bool] = []
    settings = MqttSettings(host="127.0.0.1", port=broker.port, device="kitchen")
    with contextlib.closing(MqttSink(settings, switched.append)):
        listener.wait_topic("emotiny/kitchen/enabled/state", "OFF")
        assert switched == [False]


def test_a_retained_command_is_obeyed_after_every_restart(broker, sink_on):
    listener = Listener(broker.port, "emotiny/kitchen/#")
    listener.client.publish("emotiny/kitchen/enabled/set", b"OFF", 1, retain=True).wait_for_publish(LIMIT_S)
    for _ in range(2):
        switched: list[bool] = []
        sink = sink_on(broker.port, switch=switched.append)
        listener.wait_topic("emotiny/kitchen/enabled/state", "OFF")
        assert switched == [False]
        sink.close()
        listener.clear()
    # A command that is not retained holds until the next restart.
    switched = []
    sink_on(broker.port, switch=switched.append)
    listener.wait_topic("emotiny/kitchen/enabled/state", "OFF")
    listener.client.publish("emotiny/kitchen/enabled/set", b"ON", 1)
    listener.wait(
        lambda m: m.topic.endswith("enabled/state") and m.payload == b"ON" and switched == [False, True]
    )
    listener.close()


@pytest.fixture(scope="module")
def device(tmp_path_factory):
    """A sink on a broker, another client, and what the sink was switched to."""
    broker = Broker(tmp_path_factory.mktemp("fuzz"))
    switched: list[bool] = []
    sink = MqttSink(
        MqttSettings(host="127.0.0.1", port=broker.port, device="kitchen", interval_s=0.0), switched.append
    )
    listener = Listener(broker.port, "emotiny/kitchen/status")
    listener.wait_topic("emotiny/kitchen/status", "online")
    yield sink, listener.client, switched
    listener.close()
    sink.close()
    broker.kill()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.booleans(), st.one_of(PAYLOADS, st.sampled_from([b"ON", b"OFF"]))), max_size=25))
def test_the_sink_survives_any_payload(device, caplog, frame_and_report, sent):
    sink, client, switched = device
    switched.clear()
    for command, payload in sent:
        client.publish("emotiny/kitchen/enabled/set" if command else "homeassistant/status", payload, 1)
    client.publish("emotiny/kitchen/enabled/set", b"OFF", 1)
    commands = [payload == b"ON" for command, payload in sent if command and payload in {b"ON", b"OFF"}]
    wait_until(lambda: len(switched) > len(commands))
    assert switched == [*commands, False]
    sink.send(*frame_and_report(1))  # raises if the thread has ended
    assert all(len(record.getMessage()) < 200 for record in caplog.records)


def test_a_thousand_bad_commands_a_second_are_two_lines(broker, caplog):
    caplog.set_level(logging.INFO, "edge.output.mqtt")
    clock = Clock()
    switched: list[bool] = []
    sink = MqttSink(
        MqttSettings(host="127.0.0.1", port=broker.port, device="kitchen"), switched.append, clock
    )
    listener = Listener(broker.port, "emotiny/kitchen/#", "homeassistant/device/#")
    listener.wait_topic("emotiny/kitchen/status", "online")
    for number in range(1000):
        listener.client.publish("emotiny/kitchen/enabled/set", b"nonsense %d" % number, 1)
        listener.client.publish("homeassistant/status", b"online", 1)
    listener.client.publish("emotiny/kitchen/enabled/set", b"OFF", 1)
    listener.wait_topic("emotiny/kitchen/enabled/state", "OFF")
    clock.now_s = 10.0
    listener.client.publish("emotiny/kitchen/enabled/set", b"nonsense", 1)
    wait_until(lambda: any("999 more like it" in line for line in caplog.messages))
    assert [line for line in caplog.messages if "expected ON or OFF" in line] == [
        "MQTT: emotiny/kitchen/enabled/set b'nonsense 0': expected ON or OFF",
        "MQTT: emotiny/kitchen/enabled/set b'nonsense': expected ON or OFF (999 more like it)",
    ]
    assert switched == [False]
    # Home Assistant's birth message, sent as often, does not lead to a thousand announcements either.
    assert sum(message.topic.startswith("homeassistant/device/") for message in listener.received) <= 2
    listener.close()
    sink.close()


def test_a_command_of_20_mb_is_not_received(broker, sink_on, log):
    switched: list[bool] = []
    sink_on(broker.port, switch=switched.append)
    listener = Listener(broker.port, "emotiny/kitchen/#")
    listener.wait_topic("emotiny/kitchen/status", "online")
    listener.client.publish("emotiny/kitchen/enabled/set", b"x" * 20_000_000, 1).wait_for_publish(LIMIT_S)
    listener.client.publish("emotiny/kitchen/enabled/set", b"OFF", 1)
    listener.wait_topic("emotiny/kitchen/enabled/state", "OFF")
    assert switched == [False]
    assert log.faults() == []
    listener.close()


@pytest.fixture
def run(models, tmp_path):
    """Starts a run of the demo with a settings file; its JSON lines go into another file."""
    path, out = tmp_path / "config.toml", tmp_path / "out"
    command = [
        *(
            sys.executable,
            "-m",
            "edge",
            "run",
            "--source",
            "demo",
            "--config",
            str(path),
            "--output",
            "jsonl",
        ),
        *("--emotion-model", str(models / "tiny_emotion.json")),
        *("--gender-model", str(models / "tiny_gender.json")),
    ]
    processes = []

    def start(text):
        path.write_text(text)
        with out.open("w") as file:
            processes.append(subprocess.Popen(command, stdout=file, stderr=subprocess.DEVNULL))
        return processes[0], path, out

    yield start
    for process in processes:
        process.kill()
        process.wait()


def test_a_reload_leaves_reading_switched_off_unless_there_is_no_broker_any_more(broker, listener, run):
    process, path, out = run(f'[mqtt]\nhost = "127.0.0.1"\nport = {broker.port}\ndevice = "hall"\n')
    listener.wait_topic("emotiny/hall/enabled/state", "ON")
    listener.wait_topic("emotiny/hall/camera", "online")
    listener.client.publish("emotiny/hall/enabled/set", b"OFF", 1)  # not retained
    listener.wait_topic("emotiny/hall/enabled/state", "OFF")
    listener.clear()
    process.send_signal(signal.SIGHUP)
    listener.wait_topic("emotiny/hall/status", "online")
    assert listener.wait_topic("emotiny/hall/enabled/state").payload == b"OFF"
    before_bytes = out.stat().st_size
    path.write_text("")
    process.send_signal(signal.SIGHUP)
    wait_until(lambda: out.stat().st_size > before_bytes)
