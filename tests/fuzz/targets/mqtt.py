"""What a broker sends: to the client of a run, of `check` and of `forget`."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge.output.mqtt.backoff import Backoff
from edge.output.mqtt.forget import forget
from edge.output.mqtt.probe import probe
from edge.output.mqtt.settings import MqttSettings
from edge.output.mqtt.sink import MqttSink
from tests.fuzz.servers import AnsweringThread, Listener
from tests.fuzz.target import Command, Target

_TIMEOUT_S = 5.0
_WEBSOCKET = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n"
)
# What a client is asked to do, by the first byte of an input.
_MODES = (
    *(
        ("run", "5", "tcp"),
        ("run", "3.1.1", "tcp"),
        ("run", "5", "websockets"),
        ("run", "3.1.1", "websockets"),
    ),
    *(("check", "5", "tcp"), ("check", "3.1.1", "tcp"), ("check", "5", "websockets"), ("forget", "5", "tcp")),
    ("forget", "3.1.1", "tcp"),
)
_ANSWERS_5 = (
    b"\x20\x03\0\0\0",  # CONNACK
    b"\x20\x0b\0\0\x08\x21\0\x14\x27\0\0\x20\0",  # with the most messages and bytes that it takes
    b"\x20\x03\0\x87\0",  # not authorized
    b"\x90\x05\0\1\0\1\1",  # SUBACK
    b"\x40\x02\0\1",  # PUBACK
    b"\x40\x04\0\2\x87\0",
    b"\x30\x21\0\x1cemotiny/kitchen/enabled/set\0ON",
    b"\x32\x1f\0\x14homeassistant/status\0\x05\0online",
    b"\x30\x23\0\x16emotiny/kitchen/status\x02\x01\x01online....",
    b"\xe0\x02\x8e\0",  # DISCONNECT: session taken over
    b"\xd0\0",  # PINGRESP
    b"\xf0\x02\0\0",  # AUTH
)
_ANSWERS_3 = (
    *(b"\x20\x02\0\0", b"\x20\x02\0\5", b"\x90\x03\0\1\1", b"\x90\x03\0\1\x80", b"\x40\x02\0\1", b"\xd0\0"),
    *(b"\x30\x20\0\x1cemotiny/kitchen/enabled/setON", b"\x32\x1e\0\x14homeassistant/status\0\5online"),
    *(b"\x34\x06\0\1a\0\7x", b"\x62\x02\0\7", b"\x50\x02\0\7", b"\x70\x02\0\7", b"\xb0\x02\0\1"),
)


def _frame(content: bytes, opcode: int = 2) -> bytes:
    """Returns a websocket's frame, as a server sends it."""
    length = bytes((len(content),)) if len(content) < 126 else b"\x7e" + len(content).to_bytes(2, "big")
    return bytes((0x80 | opcode,)) + length + content


class Broker(Target):
    """A byte that chooses the client, then what the broker sends before it closes the connection."""

    dictionary = (
        *_ANSWERS_5,
        *_ANSWERS_3,
        *(b"\xff\xff\xff\x7f", b"\x80\x80\x80\x80\1", b"\x80\0", b"\0\0", b"\x26\0\1a\0\1b", b"\x0b\x80\1"),
        *(
            b"\x1f\0\3a\nb",
            b"\x12\0\1x",
            b"\x1c\0\1s",
            b"\x13\0\0",
            b"\x11\xff\xff\xff\xff",
            b"\x24\0",
            b"\x25\0",
        ),
        *(b"\xff", b"\xc3\x28", b"\xed\xa0\x80", b"#", b"+", b"/", b"emotiny/kitchen/", b"homeassistant/"),
        *(
            b"\x82\x7f" + b"\xff" * 8,
            b"\x82\x7e\xff\xff",
            b"\x88\0",
            b"\x89\x7d",
            b"\x8a\0",
            b"\x02\1",
            b"\x80\1",
        ),
        *(_WEBSOCKET, b"HTTP/1.1 200 OK\r\n", b"Upgrade: x\r\n", b"\r\n\r\n", b": ", b"x" * 5000),
    )

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._listeners: dict[int, Listener] = {}
        self._sinks: list[MqttSink] = []

    def corpus(self) -> list[bytes]:
        made = []
        for number, (_, version, transport) in enumerate(_MODES):
            answers = _ANSWERS_5 if version == "5" else _ANSWERS_3
            sequences = [
                b"",
                answers[0],
                answers[1],
                answers[2],
                b"".join(answers),
                answers[0] + b"".join(answers[3:]),
            ]
            # A request numbers what it asks for from 1.
            sequences.append(answers[0] + b"".join(answers[3:5]) * 2)
            for sequence in sequences:
                sent = _WEBSOCKET + _frame(sequence) if transport == "websockets" else sequence
                made.append(bytes((number,)) + sent)
        return made

    def try_input(self, content: bytes) -> bool:
        number = content[0] % len(_MODES) if content else 0
        purpose, version, transport = _MODES[number]
        if purpose == "run":
            listener = self._listeners.get(number) or self._open_run(number, version, transport)
            sent = listener.answer(content[1:])
            listener.wait_for_client()
            return b"enabled/set" in sent  # it subscribes once it is accepted
        listener = Listener()
        answering = threading.Thread(target=listener.answer, args=(content[1:],), daemon=True)
        answering.start()
        try:
            _ask(purpose, _settings(listener.port, version, transport))
        finally:
            listener.close()  # the exception may keep the client's socket open
            answering.join()
        return True

    @contextmanager
    def command(self, content: bytes) -> Iterator[Command | None]:
        purpose, version, transport = _MODES[content[0] % len(_MODES) if content else 0]
        if purpose == "run":
            yield None
            return

        def serve(connection) -> None:
            connection.recv(1 << 16)
            connection.sendall(content[1:])

        with AnsweringThread(serve) as server:
            options = [
                "--mqtt-host",
                "127.0.0.1",
                "--mqtt-port",
                str(server.port),
                "--mqtt-device",
                "kitchen",
            ]
            options += ["--mqtt-version", version, "--mqtt-transport", transport, "--source", "demo"]
            yield Command([purpose, *options], any_code=True)

    def _open_run(self, number: int, version: str, transport: str) -> Listener:
        listener = self._listeners[number] = Listener()
        settings = _settings(listener.port, version, transport)
        self._sinks.append(MqttSink(settings, backoff=Backoff(uniform=lambda *_: 0.0)))
        return listener


def _ask(purpose: str, settings: MqttSettings) -> None:
    if purpose == "check":
        probe(settings, _TIMEOUT_S)
    else:
        list(forget(settings, _TIMEOUT_S))


def _settings(port: int, version: str, transport: str) -> MqttSettings:
    fields = {"host": "127.0.0.1", "port": port, "device": "kitchen"}
    return MqttSettings(**fields, version=version, transport=transport, interval_s=0.0)  # type: ignore[arg-type]
