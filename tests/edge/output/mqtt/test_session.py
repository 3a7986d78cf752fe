"""Whatever somebody on a broker, or a broker itself, may send: nothing breaks, nobody fills the journal."""

import logging
import random
import re
import socket
import threading
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.errors import ConfigError
from edge.output.mqtt.messages import parse_enabled
from edge.output.mqtt.settings import MqttSettings
from edge.output.mqtt.sink import MqttSink
from tests.support.broker import LIMIT_S, MOSQUITTO, Broker, Listener

needs_broker = pytest.mark.skipif(MOSQUITTO is None, reason="no mosquitto: apt-get install mosquitto")

ALMOST = st.sampled_from(
    [b"on", b"off", b"ON ", b" OFF", b"ON\n", b"OFF\0", b"1", b"true", b"ONOFF", b"", b'"ON"']
)
PAYLOADS = st.one_of(st.binary(max_size=3000), ALMOST, st.text(max_size=20).map(lambda text: text.encode()))
NAMED = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
NAMES = st.one_of(
    st.text(max_size=80),
    st.text("abcXYZ019_-+#/$ {}%\0\n\x7f\u2028é", max_size=70),
    st.from_regex(NAMED, fullmatch=True),
)


@settings(max_examples=3000, deadline=None)
@given(PAYLOADS)
def test_nothing_but_on_and_off_is_a_command(payload):
    assert parse_enabled(payload) == {b"ON": True, b"OFF": False}.get(payload)


def test_on_and_off_are():
    assert (parse_enabled(b"ON"), parse_enabled(b"OFF")) == (True, False)


@pytest.mark.parametrize("field", ["device", "base", "discovery"])
def test_names_are_letters_digits_and_little_else(field):
    @settings(max_examples=1500, deadline=None)
    @given(NAMES)
    def check(name):
        if NAMED.match(name) or (field == "discovery" and name == ""):
            MqttSettings(**{field: name})
            return
        with pytest.raises(ConfigError, match=f"mqtt {field} ") as caught:
            MqttSettings(**{field: name})
        assert "\n" not in str(caught.value)

    check()


@pytest.mark.parametrize("field", ["device", "base", "discovery"])
@pytest.mark.parametrize(
    "name",
    [
        "+",
        "#",
        "a/b",
        "/",
        "$SYS",
        "a\0",
        "a\n",
        "\x7f",
        "{{ states }}",
        "{% set %}",
        "x" * 65,
        "a b",
        "é",
        "\uff41",
    ],
)
def test_no_name_can_be_a_wildcard_a_level_or_a_template(field, name):
    with pytest.raises(ConfigError, match=f"mqtt {field} "):
        MqttSettings(**{field: name})


@pytest.fixture(scope="module")
def device(tmp_path_factory):
    """A broker, a sink on it, and somebody else; what the sink was switched to."""
    broker = Broker(tmp_path_factory.mktemp("fuzz"))
    asked: list[bool] = []
    sink = MqttSink(
        MqttSettings(host="127.0.0.1", port=broker.port, device="kitchen", interval_s=0.0), asked.append
    )
    listener = Listener(broker.port, "emotiny/kitchen/status")
    listener.topic("emotiny/kitchen/status", "online")
    yield sink, listener.client, asked
    listener.close()
    sink.close()
    broker.kill()


@needs_broker
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.booleans(), st.one_of(PAYLOADS, st.sampled_from([b"ON", b"OFF"]))), max_size=25))
def test_the_sink_takes_anything_from_a_broker(device, caplog, said):
    sink, client, asked = device
    asked.clear()
    for command, payload in said:
        client.publish("emotiny/kitchen/enabled/set" if command else "homeassistant/status", payload, 1)
    client.publish("emotiny/kitchen/enabled/set", b"OFF", 1)
    right = [payload == b"ON" for command, payload in said if command and payload in {b"ON", b"OFF"}]
    until_s = time.monotonic() + LIMIT_S
    while len(asked) <= len(right) and time.monotonic() < until_s:
        time.sleep(0.002)
    assert asked == [*right, False]
    assert sink._connection.is_alive
    assert all(len(record.getMessage()) < 200 for record in caplog.records)


@needs_broker
def test_a_thousand_bad_commands_a_second_are_two_lines(broker, caplog):
    caplog.set_level(logging.INFO, "edge.output.mqtt")
    now_s = [0.0]
    asked: list[bool] = []
    sink = MqttSink(
        MqttSettings(host="127.0.0.1", port=broker.port, device="kitchen"), asked.append, lambda: now_s[0]
    )
    listener = Listener(broker.port, "emotiny/kitchen/#", "homeassistant/device/#")
    listener.topic("emotiny/kitchen/status", "online")
    for number in range(1000):
        listener.client.publish("emotiny/kitchen/enabled/set", b"nonsense %d" % number, 1)
        listener.client.publish("homeassistant/status", b"online", 1)
    listener.client.publish("emotiny/kitchen/enabled/set", b"OFF", 1)
    listener.topic("emotiny/kitchen/enabled/state", "OFF")
    now_s[0] = 10.0
    listener.client.publish("emotiny/kitchen/enabled/set", b"nonsense", 1)
    until_s = time.monotonic() + LIMIT_S
    while not any("999 more like it" in line for line in caplog.messages) and time.monotonic() < until_s:
        time.sleep(0.02)
    assert [line for line in caplog.messages if "expected ON or OFF" in line] == [
        "MQTT: emotiny/kitchen/enabled/set b'nonsense 0': expected ON or OFF",
        "MQTT: emotiny/kitchen/enabled/set b'nonsense': expected ON or OFF (999 more like it)",
    ]
    assert asked == [False]
    # Nor is the device announced a thousand times to one that says so often that it was started.
    assert sum(message.topic.startswith("homeassistant/device/") for message in listener.heard) <= 2
    listener.close()
    sink.close()


@needs_broker
def test_a_command_that_the_broker_keeps_is_a_standing_order(broker, sink_on):
    listener = Listener(broker.port, "emotiny/kitchen/#")
    listener.client.publish("emotiny/kitchen/enabled/set", b"OFF", 1, retain=True).wait_for_publish(LIMIT_S)
    for _ in range(2):  # it holds again after a restart
        asked: list[bool] = []
        sink = sink_on(broker.port, switch=asked.append)
        listener.topic("emotiny/kitchen/enabled/state", "OFF")
        assert asked == [False]
        sink.close()
        listener.forget()
    # One that is not kept holds until then.
    asked = []
    sink_on(broker.port, switch=asked.append)
    listener.topic("emotiny/kitchen/enabled/state", "OFF")
    listener.client.publish("emotiny/kitchen/enabled/set", b"ON", 1)
    listener.wait(
        lambda m: m.topic.endswith("enabled/state") and m.payload == b"ON" and asked == [False, True]
    )
    listener.close()


# The first byte of packets of each kind, so that most of the nonsense is read further.
KINDS = (0x20, 0x30, 0x32, 0x34, 0x40, 0x50, 0x62, 0x70, 0x90, 0xB0, 0xC0, 0xD0, 0xE0, 0xF0)


def nonsense(source):
    """A packet whose length is right and whose content is anything."""
    body = source.randbytes(source.choice([0, 1, 2, 3, 5, 17, 120]))
    return bytes([source.choice(KINDS), len(body)]) + body


@pytest.mark.parametrize("version", ["5", "3.1.1"])
@pytest.mark.parametrize("accepted", [True, False])
def test_a_server_may_say_what_it_likes(version, accepted, caplog, monkeypatch):
    monkeypatch.setattr("edge.output.mqtt.backoff._JITTER", (0.0, 0.0))
    caplog.set_level(logging.INFO, "edge.output.mqtt")
    source = random.Random(20)
    came: list[float] = []
    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        while len(came) < 400:
            connection, _ = server.accept()
            with connection:
                try:
                    connection.recv(4096)
                    said = b"".join(nonsense(source) for _ in range(source.randint(1, 6)))
                    connection.sendall((b"\x20\x03\0\0\0" if accepted else b"") + said)
                except OSError:
                    continue  # it left before we had ended
                finally:
                    came.append(time.monotonic())
        server.close()

    thread = threading.Thread(target=serve)
    thread.start()
    sink = MqttSink(MqttSettings(host="127.0.0.1", port=server.getsockname()[1], version=version))
    thread.join(60)
    assert len(came) == 400
    assert sink._connection.is_alive
    sink.close()
    assert len(caplog.records) < 40  # of 400 faults, and of a dozen kinds
    assert max(len(record.getMessage()) for record in caplog.records) < 300
