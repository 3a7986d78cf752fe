"""Servers that are not quite brokers, or no brokers at all."""

import contextlib
import os
import random
import threading

import pytest

from edge.output.mqtt.backoff import Backoff
from edge.output.mqtt.messages import Message
from edge.output.mqtt.outbox import Outbox
from edge.output.mqtt.session import Session
from edge.output.mqtt.settings import MqttSettings
from edge.types import Box
from tests.support.broker import Broker, Listener, free_port, needs_mosquitto, wait_for_port, wait_until
from tests.support.scripted_server import PUBLISH, accept, accept_and_babble, receive_packet
from tests.support.short_delays import ShortKeepalive

pytestmark = pytest.mark.filterwarnings(
    # After a failed handshake paho leaves its socket to the garbage collector.
    "ignore::pytest.PytestUnraisableExceptionWarning",
    "ignore::ResourceWarning",
)

NEAR = Box(100, 60, 80, 80)


def test_a_broker_that_names_a_takeover(server, sink_on, log, backoff):
    def take_over(connection):
        accept(connection)
        connection.sendall(b"\xe0\x02\x8e\x00")  # Session taken over
        while connection.recv(4096):
            pass

    sink_on(server(take_over).port, backoff=backoff)
    line = log.wait("took over")
    assert "another client of the name emotiny_kitchen took over the connection" in line
    assert "Each needs an mqtt.device of its own" in line
    wait_until(lambda: backoff.delays_s)
    assert backoff.delays_s[0] == 40.0 * backoff.FACTOR  # the longest delay at once


@needs_mosquitto
def test_websockets(tmp_path, sink_on, frame_and_report, log):
    port = free_port()
    # Debian's Mosquitto ends if all of its listeners are of this kind, so that this is a second one.
    broker = Broker(tmp_path, f"listener {port} 127.0.0.1", "protocol websockets")
    if not wait_for_port(port, 2.0):
        broker.kill()
        pytest.skip("this Mosquitto was built without websockets")
    sink = sink_on(port, transport="websockets")
    listener = Listener(broker.port)
    listener.wait_topic("emotiny/kitchen/status", "online")
    sink.send(*frame_and_report(1, NEAR))
    listener.wait_topic("emotiny/kitchen/event")
    listener.client.publish("emotiny/kitchen/enabled/set", b"OFF", 1)
    listener.wait_topic("emotiny/kitchen/enabled/state", "OFF")
    listener.close()
    wrong = sink_on(broker.port, transport="websockets", device="hall")
    log.wait("do mqtt.transport and mqtt.port fit")
    wrong.close()
    broker.kill()
    log.wait("connection lost")
    broker.start()
    log.wait("connected again")
    sink.close()
    broker.kill()


@pytest.mark.parametrize("version", ["5", "3.1.1"])
@pytest.mark.parametrize(
    ("script", "text"),
    [
        (lambda connection: None, "closes the connection before it answers"),
        (lambda connection: connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n" * 9), "is not MQTT"),
        (
            lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
            "closes the connection before it answers",
        ),
        (lambda connection: connection.sendall(b"\x20\xff\xff\xff\xff\xff\xff"), "is not MQTT"),
        (lambda connection: connection.sendall(b"\x20\x02\xff"), "closes the connection before it answers"),
        (lambda connection: connection.sendall(b"\x30\x04\x00\x02\xff\xfe" * 50), "is not MQTT"),
    ],
)
def test_a_server_that_does_not_speak_mqtt(server, sink_on, log, backoff, script, text, version):
    other = server(script)
    sink_on(other.port, version=version, backoff=backoff)
    wait_until(lambda: len(backoff.delays_s) > 2)
    assert len(log.lines()) == 1
    assert text in log.lines()[0]


@pytest.mark.parametrize("script", [accept, accept_and_babble])
def test_a_broker_that_accepts_and_closes_is_logged_three_times(server, sink_on, log, script, backoff):
    sink_on(server(script).port, backoff=backoff)
    wait_until(lambda: len(backoff.delays_s) > 6)
    assert sum("connected" in line for line in log.lines()) == 3
    losses = [line for line in log.faults() if "connection lost" in line or "is not MQTT" in line]
    assert len(losses) == 3
    assert "it comes and goes, so further losses are not logged" in losses[-1]


def test_a_server_that_does_not_answer(server, sink_on, log):
    ended = threading.Event()
    silent = server(lambda connection: ended.wait(20))
    sink = sink_on(silent.port, settings_class=ShortKeepalive)
    log.wait("accepts the connection but does not answer; is it an MQTT broker?")
    assert len(silent.accepted_s) == 1
    sink.close()
    ended.set()


# The first byte of packets of every kind, so that most of the nonsense is parsed further.
KINDS = (0x20, 0x30, 0x32, 0x34, 0x40, 0x50, 0x62, 0x70, 0x90, 0xB0, 0xC0, 0xD0, 0xE0, 0xF0)


def nonsense(source):
    """Returns a packet with the right length and a random body."""
    body = source.randbytes(source.choice([0, 1, 2, 3, 5, 17, 120]))
    return bytes([source.choice(KINDS), len(body)]) + body


@pytest.mark.parametrize("version", ["5", "3.1.1"])
@pytest.mark.parametrize("accepted", [True, False])
def test_a_server_may_send_anything(version, accepted, server, sink_on, frame_and_report, log):
    source = random.Random(20)

    def send_nonsense(connection):
        connection.recv(4096)
        packets = b"".join(nonsense(source) for _ in range(source.randint(1, 6)))
        connection.sendall((b"\x20\x03\0\0\0" if accepted else b"") + packets)

    babbler = server(send_nonsense)
    sink = sink_on(babbler.port, version=version, backoff=Backoff(uniform=lambda *_: 0.0))
    wait_until(lambda: len(babbler.accepted_s) >= 400, 60)
    sink.send(*frame_and_report(1))  # raises if the thread has ended
    sink.close()
    assert len(log.lines()) < 40  # of 400 faults, which are of a dozen kinds
    assert max(len(line) for line in log.lines()) < 300


@pytest.mark.parametrize(
    ("connack", "limit"),
    [(b"\x20\x03\x00\x00\x00", 20), (b"\x20\x06\x00\x00\x03\x21\x00\x02", 2)],
    ids=["ours", "the broker's"],
)
def test_unacknowledged_messages_are_limited(server, wake_fd, connack, limit):
    received = []

    def acknowledge_nothing(connection):
        receive_packet(connection)
        connection.sendall(connack)
        while packet := receive_packet(connection):
            if packet[0] == PUBLISH:
                received.append(packet)

    settings = MqttSettings(host="127.0.0.1", port=server(acknowledge_nothing).port, device="kitchen")
    outbox = Outbox(100)
    outbox.put(Message(f"state/{number}", "", retain=True) for number in range(50))
    outbox.connected(Message("status", "online", retain=True))
    session = Session(settings, outbox, ["commands"], lambda *_: None)
    session.connect()
    with contextlib.closing(session):
        while not session.in_flight:
            session.step(wake_fd, lambda *_: None)
        os.eventfd_write(wake_fd, 1)
        session.step(wake_fd, lambda *_: None)
        wait_until(lambda: len(received) >= limit)
    assert session.fault is None
    assert (len(session.in_flight), len(outbox), len(received)) == (limit, 50 + 1 - limit, limit)
