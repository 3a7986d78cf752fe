"""TCP servers that behave as a test wants: not quite like a broker, or not at all."""

from __future__ import annotations

import contextlib
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


def receive_packet(connection: socket.socket) -> bytes:
    """Returns the next packet, which must be shorter than 128 bytes; empty if the connection has ended."""
    head = connection.recv(2)
    return head + connection.recv(head[1]) if len(head) == 2 else b""


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
            if packet[0] >> 4 == 8:  # SUBSCRIBE
                connection.sendall(b"\x90\x03" + packet[2:4] + bytes([subscriptions]))
            elif packet[0] >> 4 == 3:  # PUBLISH
                if taken == most:
                    return
                taken += 1
                id_at = 4 + int.from_bytes(packet[2:4], "big")
                connection.sendall(b"\x40\x02" + packet[id_at : id_at + 2])

    return script
