"""Brokers that limit the size of packets."""

import contextlib
import json
import logging
from dataclasses import replace

import pytest

from edge.output.mqtt import messages
from edge.output.mqtt.faults import TOO_LARGE_HINT, Fault
from edge.output.mqtt.home_assistant import discovery
from edge.output.mqtt.in_flight import InFlight
from edge.output.mqtt.messages import Message
from edge.output.mqtt.outbox import Outbox
from edge.output.mqtt.reporter import Reporter
from edge.output.mqtt.session import Session
from edge.output.mqtt.settings import MqttSettings
from edge.output.mqtt.size_limit import ENOUGH_BYTES, SizeLimit, packet_bytes
from edge.output.mqtt.stamp import Stamper
from edge.types import Box
from tests.support.broker import Broker, Listener, needs_mosquitto, payload_of, retained_on, wait_until
from tests.support.clock import Clock
from tests.support.home_assistant import entity_problems
from tests.support.scripted_server import PUBLISH, receive_packet

SETTINGS = MqttSettings(host="b", device="kitchen")
CLOSED = Fault("connection lost", unexplained=True)
BOXES = [Box(10 * number, 60, 20 + 10 * number, 80) for number in (1, 5, 2, 4, 3)]


@pytest.fixture
def lines(caplog):
    caplog.set_level(logging.INFO, "edge.output.mqtt")
    return lambda: [record.getMessage().removeprefix("MQTT broker b:1883: ") for record in caplog.records]


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_the_size_of_a_packet_is_that_on_the_wire(server, wake_fd, version):
    kept = [
        Message(f"größe/{length}", "ü" * length, retain=True, properties=(("at", "ä"), ("run", "7" * length)))
        for length in (*range(30, 80), 4000, 9000)
    ]
    once = [Message("once", "", qos=0), Message("more", "", qos=0, properties=(("key", "value"),))]
    sizes = []

    def measure(connection):
        receive_packet(connection)
        # No limit of the messages that may be in flight but paho's.
        connection.sendall(b"\x20\x03\x00\x00\x00" if version == "5" else b"\x20\x02\x00\x00")
        while packet := receive_packet(connection):
            kind, body = packet
            if kind == PUBLISH:
                sizes.append(1 + sum(len(body) >= 128**power for power in range(4)) + len(body))
                number_at = 2 + int.from_bytes(body[:2], "big")
                if not body.startswith((b"\x00\x04once", b"\x00\x04more")):
                    connection.sendall(b"\x40\x02" + body[number_at : number_at + 2])

    settings = MqttSettings(host="127.0.0.1", port=server(measure).port, device="kitchen", version=version)
    outbox = Outbox(100)
    outbox.put(kept)
    session = Session(settings, outbox, ["commands"], lambda *_: None)
    session.connect()
    with contextlib.closing(session):
        while not session.is_connected:
            session.step(wake_fd, lambda *_: None)
        outbox.connected(Message("status", "online", retain=True))
        outbox.put(once)
        while len(sizes) < len(kept) + len(once):
            session.step(wake_fd, lambda *_: None, 0.01)
            assert session.fault is None
    assert sorted(sizes[: len(kept) + len(once)]) == sorted(
        packet_bytes(each, version) for each in (*kept, *once)
    )


def test_everything_is_sent_as_it_is_without_a_limit(lines):
    limit = SizeLimit(SETTINGS)
    message = Message("topic", "x" * 100_000)
    assert list(limit.fit(message)) == [message]
    limit.connected(packet_bytes(message, "5"))
    assert list(limit.fit(message)) == [message]
    assert lines() == []


def test_what_cannot_be_sent_is_named_once_an_hour_and_for_every_limit(lines):
    clock = Clock()
    limit, message = SizeLimit(SETTINGS, clock), Message("topic", "x" * 100)
    limit.connected(50)
    for _ in range(20):
        assert list(limit.fit(message)) == []
    text = (
        "takes no packets of more than 50 bytes; the message on topic has 112 and is not sent; "
        "raise the broker's limit (Mosquitto: max_packet_size)"
    )
    assert lines() == [text]
    limit.connected(50)
    limit.fit(message)
    assert lines() == [text]
    clock.now_s += 3600
    limit.fit(message)
    limit.connected(60)
    limit.fit(message)
    assert lines() == [text, text, text.replace("50", "60")]
    limit.connected(None)
    assert list(limit.fit(message)) == [message]


def test_a_word_loses_its_properties_before_it_is_lost():
    limit = SizeLimit(SETTINGS)
    word = messages.status(SETTINGS, messages.ONLINE, Stamper().stamp("status"))
    limit.connected(40)
    (shortened,) = limit.fit(word)
    assert (shortened.payload, shortened.retain, shortened.properties) == ("online", True, ())


def test_the_narrowest_faces_are_left_out(frame_and_report, lines):
    limit = SizeLimit(SETTINGS)
    limit.connected(1700)
    _, report = frame_and_report(1, *BOXES)
    found = {message.topic: message for message in Reporter(SETTINGS, Stamper()).messages(report, 0.0, {})}
    (faces,) = limit.fit(found["emotiny/kitchen/faces"])
    whole, fields = json.loads(found["emotiny/kitchen/faces"].payload), json.loads(faces.payload)
    widths = [face["box"][2] for face in fields["faces"]]
    assert widths == [70, 60, 50]
    assert {**fields, "faces": 0} == {**whole, "faces": 0}
    assert faces.qos == 0
    assert "emotiny/kitchen/faces has" in lines()[0]
    assert "and is shortened" in lines()[0]


def test_what_is_said_to_be_enough_is_enough(frame_and_report):
    settings = MqttSettings(host="b", device="x" * 64, base="y" * 64, discovery="z" * 64)
    _, report = frame_and_report(123456, *[Box(1000, 600, 280, 280)] * 16)
    everything = [discovery(settings), *Reporter(settings, Stamper()).messages(report, 0.0, {})]
    assert 5000 < max(packet_bytes(message, "5") for message in everything) <= ENOUGH_BYTES


@pytest.mark.parametrize(
    "more", [{"device": "kitchen"}, {"device": "x" * 64, "base": "y" * 64, "discovery": "z" * 64}]
)
def test_a_device_is_announced_in_parts_by_home_assistant_s_rules(more):
    settings = MqttSettings(host="b", **more)
    limit = SizeLimit(settings)
    message = discovery(settings)
    limit.connected(packet_bytes(message, "5") - 1)
    first, *parts = limit.fit(message)
    assert (first.topic, first.payload, first.retain) == (message.topic, "", True)
    assert [entity_problems(part.topic, part.payload) for part in parts] == [[]] * 11
    assert len({json.loads(part.payload)["unique_id"] for part in parts}) == 11
    assert all(part.retain for part in parts)
    # docs/security.md
    assert max(packet_bytes(part, "5") for part in parts) < (700 if settings.device == "kitchen" else 1300)
    limit.connected(100)  # not even one of the parts: what the broker keeps is not withdrawn
    assert list(limit.fit(message)) == []


def lose(limit, *packets, fault=CLOSED):
    """Ends a connection on which packets were sent, of which all but the last were acknowledged."""
    in_flight = InFlight(30.0, Clock())
    for number, (topic, size) in enumerate(packets, start=1):
        in_flight.sent(number, Message(topic, "", retain=True), size)
    if len(packets) > 1:
        in_flight.acknowledged(len(packets) - 1)
    return limit.disconnected(fault, in_flight)


def test_a_limit_is_guessed_when_two_connections_end_right_after_a_large_packet(lines):
    limit = SizeLimit(SETTINGS)
    first = lose(limit, ("state", 100), ("config", 2600))
    assert first == replace(CLOSED, repeated_hint=TOO_LARGE_HINT)
    fault = lose(limit, ("state", 100), ("config", 2600))
    assert fault.text == (
        "connection lost right after a message of 2600 bytes on config; does the broker limit the size of "
        "packets (Mosquitto: max_packet_size), or may this user not write there?"
    )
    assert not fault.repeated_hint
    large = Message("config", "x" * 1945)
    assert list(limit.fit(large)) == []
    assert lines()[0].startswith("seems to take no packets of more than 1950 bytes; the message on config")
    # Now that there is a limit, one loss is enough; and no guess is less than what was taken.
    fault = lose(limit, ("state", 1000), ("config", 1200))
    assert fault.text.startswith("connection lost right after a message of 1200 bytes")
    assert list(limit.fit(Message("a", "x" * 990)))
    assert not list(limit.fit(Message("a", "x" * 1000)))


def test_a_broker_that_is_given_a_limit_later_is_believed_after_the_third_loss():
    """It was started again with other settings, and takes no more what it took before."""
    limit = SizeLimit(SETTINGS)
    lose(limit, ("config", 2600), ("state", 100))
    faults = [lose(limit, ("state", 100), ("config", 2600)) for _ in range(3)]
    assert [fault.text for fault in faults[:2]] == [CLOSED.text] * 2
    assert faults[2].text.startswith("connection lost right after a message of 2600 bytes")
    assert not list(limit.fit(Message("config", "x" * 1950)))
    # What it took before does not count for the next guess, either.
    assert lose(limit, ("state", 100), ("faces", 1800)).text.startswith("connection lost right after")
    assert not list(limit.fit(Message("faces", "x" * 1350)))


@pytest.mark.parametrize(
    "ends",
    [
        [[("config", 100)], [("state", 100)], [("config", 100)]],  # different messages
        [[("config", 100)], [], [("config", 100)]],  # one of them is due to something else
        [[("config", 100), ("faces", 100)], [("faces", 100)], [("faces", 100)]],  # taken before
    ],
)
def test_other_losses_are_not_due_to_the_size(ends):
    limit = SizeLimit(SETTINGS)
    assert {lose(limit, *packets).text for packets in ends} == {CLOSED.text}


def test_a_broker_that_names_the_reason_is_believed_at_once():
    limit = SizeLimit(SETTINGS)
    assert (
        "2600 bytes on config" in lose(limit, ("config", 2600), fault=Fault("", packet_too_large=True)).text
    )


@needs_mosquitto
@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_mosquitto_with_a_small_limit(tmp_path, sink_on, frame_and_report, log, backoff, version):
    broker = Broker(tmp_path, "max_packet_size 1000")
    sink = sink_on(broker.port, version=version, backoff=backoff)
    listener = Listener(broker.port)
    listener.wait_topic("emotiny/kitchen/status", "online")
    retained = retained_on(broker.port)
    single = [topic for topic in retained if topic.endswith("/config")]
    assert len(single) == 11
    assert "homeassistant/device/emotiny_kitchen/config" not in retained
    assert [entity_problems(topic, retained[topic].payload.decode()) for topic in single] == [[]] * 11
    sink.send(*frame_and_report(1, *BOXES))
    faces = listener.wait_topic("emotiny/kitchen/faces") if version == "5" else None
    if faces is not None:
        assert [face["box"][2] for face in payload_of(faces)["faces"]] == [70]
    listener.wait(lambda m: m.topic == "emotiny/kitchen/state" and payload_of(m)["faces"] == 5)
    assert not any("second device" in line for line in log.lines())
    if version == "5":
        assert len(log.faults()) == 2  # one for each topic
        assert "takes no packets of more than 1000 bytes" in log.faults()[0]
        assert not backoff.delays_s
    else:
        assert "does the broker limit the size of packets (Mosquitto: max_packet_size)" in log.faults()[1]
        assert "seems to take no packets of more than 21" in log.faults()[2]
    assert "homeassistant/device/emotiny_kitchen/config has 2" in log.wait("and is sent in parts")
    listener.close()
    sink.close()
    broker.kill()


@needs_mosquitto
def test_mosquitto_that_is_started_again_with_a_small_limit_it_does_not_name(tmp_path, sink_on, log, backoff):
    broker = Broker(tmp_path)
    sink = sink_on(broker.port, version="3.1.1", backoff=backoff)
    listener = Listener(broker.port)
    listener.wait_topic("emotiny/kitchen/status", "online")
    listener.wait_topic("homeassistant/device/emotiny_kitchen/config")
    broker.kill()
    broker = Broker(tmp_path, "max_packet_size 1000", port=broker.port)
    again = Listener(broker.port)
    again.wait_topic("emotiny/kitchen/status", "online")
    assert "homeassistant/device/emotiny_kitchen/config has 2" in log.wait("and is sent in parts")
    # Once the limit is guessed, nothing is gained by waiting.
    assert backoff.delays_s[-1] < backoff.delays_s[-2]
    for each in (listener, again):
        each.close()
    sink.close()
    broker.kill()


@needs_mosquitto
def test_many_faces_for_mosquitto_with_a_small_limit_that_it_does_not_name(
    tmp_path, sink_on, frame_and_report, log, backoff
):
    broker = Broker(tmp_path, "max_packet_size 1000")
    sink = sink_on(broker.port, version="3.1.1", discovery="", backoff=backoff)
    listener = Listener(broker.port, "emotiny/kitchen/faces")
    number = 0

    def arrives():
        nonlocal number
        number += 1
        sink.send(*frame_and_report(number, *BOXES))
        return listener.received

    wait_until(arrives)
    assert len(payload_of(listener.received[0])["faces"]) == 1
    assert any("right after a message of" in line for line in log.faults())
    assert not any("second device" in line for line in log.lines())
    listener.close()
    sink.close()
    broker.kill()
