"""What a broker, or somebody through it, sends without an end."""

import base64
import hashlib
import re
import time

import pytest

import edge.output.mqtt.bounded_client
from tests.support.broker import Broker, free_port, needs_mosquitto, wait_for_port, wait_until
from tests.support.scripted_server import accept

CONNACK = b"\x20\x03\0\0\0"
# Messages on the topic "a", of 16 MB and of 4 MB.
LARGE = b"\x30\x80\x80\x80\x08\0\1a\0" + bytes((16 << 20) - 4)
SMALLER = b"\x30\x80\x80\x80\x02\0\1a\0" + bytes((4 << 20) - 4)
KEY = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def upgrade(connection):
    """Accepts a websocket, and begins a frame of a gigabyte with the answer to the device."""
    (key,) = re.findall(rb"Sec-WebSocket-Key: (\S+)", connection.recv(4096), re.IGNORECASE)
    accepted = base64.b64encode(hashlib.sha1(key + KEY).digest())
    connection.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accepted + b"\r\n\r\n\x82\x7f" + (1 << 30).to_bytes(8, "big")
    )
    connection.recv(4096)
    connection.sendall(CONNACK)


@pytest.mark.parametrize(
    ("begin", "sent", "transport"),
    [(accept, LARGE, "tcp"), (upgrade, LARGE, "websockets"), (upgrade, SMALLER * 4, "websockets")],
    ids=["packet", "packet in a frame", "frame of packets"],
)
def test_what_would_fill_the_memory_is_not_taken_in(server, sink_on, log, backoff, begin, sent, transport):
    def script(connection):
        begin(connection)
        connection.sendall(sent)
        connection.recv(4096)

    sink_on(server(script).port, transport=transport, backoff=backoff)
    wait_until(lambda: backoff.delays_s)
    assert "sends more than 8 MB at once" in log.faults()[0]


def test_a_smaller_packet_than_that_is_ignored(server, sink_on, log, backoff):
    def script(connection):
        accept(connection)
        connection.sendall(SMALLER)

    sink_on(server(script).port, backoff=backoff)
    wait_until(lambda: backoff.delays_s)
    assert "connection lost" in log.faults()[0]


@pytest.mark.parametrize("byte", [b"x", b"xx\n"], ids=["a line", "lines"])
def test_a_websocket_s_handshake_must_end(server, sink_on, log, backoff, monkeypatch, byte):
    monkeypatch.setattr(edge.output.mqtt.bounded_client, "HANDSHAKE_S", 0.2)

    def script(connection):
        connection.recv(4096)
        while True:  # until the device leaves
            connection.sendall(byte)
            time.sleep(0.01)

    sink_on(server(script).port, transport="websockets", backoff=backoff)
    wait_until(lambda: backoff.delays_s)
    assert "no websockets (its answer takes more than 0.2 s); do mqtt.transport" in log.faults()[0]


@needs_mosquitto
def test_a_websocket_with_tls(tmp_path, authority, sink_on, log):
    port = free_port()
    files = (("cafile", "ca.crt"), ("certfile", "server.crt"), ("keyfile", "server.key"))
    lines = [f"{key} {authority / file}" for key, file in files]
    broker = Broker(tmp_path, f"listener {port} 127.0.0.1", "protocol websockets", *lines)
    if not wait_for_port(port, 5.0):
        broker.kill()
        pytest.skip("this Mosquitto was built without websockets")
    sink_on(port, transport="websockets", tls=True, host="localhost", ca=authority / "ca.crt")
    log.wait("connected")
    broker.kill()
