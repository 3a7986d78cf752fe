"""TCP servers that behave as a test wants: not quite like a broker, or not at all."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from collections.abc import Callable

Script = Callable[[socket.socket], object]


class ScriptedServer:
    """Runs a script on every connection, one after the other, and closes the connection after it.

    Attributes:
        port: Port on which it listens.
        accepted_s: Monotonic time of every connection so far.
    """

    def __init__(self, script: Script) -> None:
        self.accepted_s: list[float] = []
        self._script = script
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Accepts no more connections; a script that is running goes on."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.accepted_s.append(time.monotonic())
            with connection, contextlib.suppress(OSError):
                self._script(connection)


def accept(connection: socket.socket) -> None:
    """Accepts an MQTT connection of either version."""
    connection.recv(4096)
    connection.sendall(b"\x20\x03\x00\x00\x00")


def accept_and_babble(connection: socket.socket) -> None:
    """Accepts an MQTT connection, then sends what is not MQTT."""
    accept(connection)
    connection.sendall(bytes(range(1, 256)) * 20)
    connection.recv(4096)


PUBLISH, SUBSCRIBE, PING, DISCONNECT = 3, 8, 12, 14  # kinds of packets


def receive_packet(connection: socket.socket) -> tuple[int, bytes] | None:
    """Returns the kind of the next packet, and what follows its length; None if the connection has ended."""
    head = connection.recv(1)
    if not head:
        return None
    length = shift = 0
    while True:  # seven bits in each byte
        (byte,) = connection.recv(1)
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    body = b""
    while len(body) < length:
        body += connection.recv(length - len(body))
    return head[0] >> 4, body


def topic_and_number(body: bytes) -> tuple[str, bytes]:
    """Returns the topic of a PUBLISH packet of QoS 1, and the two bytes of its number."""
    end = 2 + int.from_bytes(body[:2], "big")
    return body[2:end].decode(), body[end : end + 2]


def acknowledge(most: int, *, subscriptions: int = 0x01) -> Script:
    """Makes a broker of MQTT 3.1.1 that closes the connection instead of rejecting a message.

    Args:
        most: Number of messages to acknowledge; the connection is closed on the next one.
        subscriptions: Answer to every subscription: the granted QoS, or 0x80 for a refusal.
    """

    def script(connection: socket.socket) -> None:
        receive_packet(connection)
        connection.sendall(b"\x20\x02\x00\x00")
        taken = 0
        while packet := receive_packet(connection):
            kind, body = packet
            if kind == SUBSCRIBE:
                connection.sendall(b"\x90\x03" + body[:2] + bytes([subscriptions]))
            elif kind == PUBLISH:
                if taken == most:
                    return
                taken += 1
                connection.sendall(b"\x40\x02" + topic_and_number(body)[1])

    return script


def acknowledge_only(topics: str, *, subscription: bool = True) -> Script:
    """Makes a broker of MQTT 3.1.1 that answers pings, and acknowledges only what a test wants.

    Args:
        topics: Pattern of the topics whose messages are acknowledged.
        subscription: Whether a subscription is acknowledged.
    """

    def script(connection: socket.socket) -> None:
        receive_packet(connection)
        connection.sendall(b"\x20\x02\x00\x00")
        while packet := receive_packet(connection):
            kind, body = packet
            if kind == PING:
                connection.sendall(b"\xd0\x00")
            elif kind == SUBSCRIBE and subscription:
                connection.sendall(b"\x90\x03" + body[:2] + b"\x01")
            elif kind == PUBLISH:
                topic, number = topic_and_number(body)
                if re.fullmatch(topics, topic):
                    connection.sendall(b"\x40\x02" + number)

    return script
