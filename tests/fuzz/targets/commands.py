"""Messages on the topics that a device listens to."""

from __future__ import annotations

import queue
import socket
import threading
from pathlib import Path

from edge.output.mqtt.settings import MqttSettings
from edge.output.mqtt.sink import MqttSink
from tests.fuzz.target import BrokenPromiseError, Target
from tests.support.scripted_server import PUBLISH, SUBSCRIBE, ScriptedServer, receive_packet, topic_and_number

_TOPICS = (b"emotiny/kitchen/enabled/set", b"homeassistant/status")
_WAIT_S = 15.0
_WORDS = {b"ON": True, b"OFF": False}


class Commands(Target):
    """A byte for topic, retain flag and quality of service, then the payload."""

    dictionary = (
        *(
            b"ON",
            b"OFF",
            b"on",
            b"off",
            b"true",
            b"false",
            b"1",
            b"0",
            b"online",
            b"offline",
            b'{"state":"ON"}',
        ),
        *(
            b"\0",
            b"\n",
            b"\r\n",
            b"\xff\xfe",
            b"%s",
            b"%(",
            b"{}",
            b"\x1b[31m",
            b"\xe2\x80\xa8",
            b" ",
            b"ON\0",
        ),
    )

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._connection: queue.Queue[socket.socket] = queue.Queue()
        self._sending = threading.Lock()
        self._switched: queue.Queue[bool] = queue.Queue()
        self._sink: MqttSink | None = None

    def corpus(self) -> list[bytes]:
        payloads = (b"ON", b"OFF", b"", b"online", b"offline", b"toggle", b'{"state": "ON"}')
        return [bytes((kind,)) + payload for payload in payloads for kind in range(8)]

    def try_input(self, content: bytes) -> bool:
        kind, payload = (content[0] if content else 0), content[1:]
        topic = _TOPICS[kind & 1]
        connection = self._open()
        wanted = [_WORDS[payload]] if topic == _TOPICS[0] and payload in _WORDS else []
        with self._sending:
            connection.sendall(_publish(topic, payload, retain=kind >> 1 & 1, qos=kind >> 2 & 1))
            # The answer to these shows that the message before them was dealt with.
            connection.sendall(_publish(_TOPICS[0], b"ON") + _publish(_TOPICS[0], b"OFF"))
        for expected in (*wanted, True, False):
            try:
                switched = self._switched.get(timeout=_WAIT_S)
            except queue.Empty:
                raise BrokenPromiseError("a command is not obeyed any more") from None
            if switched != expected:
                raise BrokenPromiseError(f"{payload[:100]!r} switches reading {'on' if switched else 'off'}")
        return bool(wanted)

    def _open(self) -> socket.socket:
        if self._sink is None:
            server = ScriptedServer(self._serve)
            settings = MqttSettings(host="127.0.0.1", port=server.port, device="kitchen", version="3.1.1")
            self._sink = MqttSink(settings, self._switched.put)
        connection = self._connection.get(timeout=_WAIT_S)
        self._connection.put(connection)
        return connection

    def _serve(self, connection: socket.socket) -> None:
        receive_packet(connection)
        connection.sendall(b"\x20\x02\0\0")
        while packet := receive_packet(connection):
            kind, body = packet
            with self._sending:
                if kind == SUBSCRIBE:
                    connection.sendall(b"\x90\x04" + body[:2] + b"\1\1")
                    self._connection.put(connection)
                elif kind == PUBLISH:
                    # Those of QoS 0 have no number; to acknowledge what they begin with does no harm.
                    connection.sendall(b"\x40\x02" + (topic_and_number(body)[1] + bytes(2))[:2])
        raise BrokenPromiseError("the client leaves")


def _publish(topic: bytes, payload: bytes, *, retain: int = 0, qos: int = 0) -> bytes:
    body = len(topic).to_bytes(2, "big") + topic + (b"\x12\x34" if qos else b"") + payload
    length, rest = b"", len(body)
    while True:
        rest, digit = rest >> 7, rest & 0x7F
        length += bytes((digit | (0x80 if rest else 0),))
        if not rest:
            return bytes((0x30 | qos << 1 | retain,)) + length + body
