"""paho's client with bounds on what a broker can take of it: memory, and time until a websocket is open."""

from __future__ import annotations

import time
from typing import Any

import paho.mqtt.client as paho

from edge.output.mqtt.faults import TooMuchReceivedError

# A command has three letters. Other clients may publish more, which is ignored, but not so much that it fills
# the memory: of a packet of 256 MB, the largest that MQTT allows, paho makes three copies.
_LARGEST_RECEIVED_BYTES = 8 << 20
# paho limits each read of the handshake, a byte, to 5 s. A server that sends any text without an end would be
# read for ever.
HANDSHAKE_S = 10.0


class BoundedClient(paho.Client):
    """A client that takes in no packet, and no frame of a websocket, of more than 8 MB.

    It overrides methods that paho keeps to itself. Should a later version have others, nothing is bounded,
    and the tests fail.
    """

    def _sock_recv(self, bufsize: int) -> bytes:
        """Returns at most `bufsize` bytes of what the broker sends.

        paho asks for all that is left of a packet, and keeps a websocket's frame until it is complete.

        Raises:
            TooMuchReceivedError: the packet or the frame is too large.
        """
        if max(bufsize, len(getattr(self._sock, "_readbuffer", b""))) > _LARGEST_RECEIVED_BYTES:
            raise TooMuchReceivedError(
                f"sends more than {_LARGEST_RECEIVED_BYTES >> 20} MB at once; expected short commands; "
                "does the broker keep a large message on one of the topics?"
            )
        return super()._sock_recv(bufsize)

    def _create_socket(self) -> Any:
        """Connects; bounds a websocket's handshake, and closes what it failed on, which paho does not."""
        self._handshakes: list[_HandshakeSocket] = []  # none without a websocket, else one
        try:
            opened: Any = super()._create_socket()
        except Exception:
            for failed in self._handshakes:
                failed.opened.close()
            raise
        for handshake in self._handshakes:
            opened._socket = handshake.opened  # from here on, reads may last
        return opened

    def _create_socket_connection(self) -> Any:
        opened = super()._create_socket_connection()
        return opened if self._ssl else self._bounded(opened)

    def _ssl_wrap_socket(self, tcp_sock: Any) -> Any:
        return self._bounded(super()._ssl_wrap_socket(tcp_sock))

    def _bounded(self, opened: Any) -> Any:
        if self._transport != "websockets":
            return opened
        self._handshakes.append(_HandshakeSocket(opened))
        return self._handshakes[-1]


class _HandshakeSocket:
    """A socket that can be read for `HANDSHAKE_S` only."""

    def __init__(self, opened: Any) -> None:
        self.opened = opened
        self._until_s = time.monotonic() + HANDSHAKE_S

    def __getattr__(self, name: str) -> Any:
        return getattr(self.opened, name)

    def recv(self, size: int) -> bytes:
        """Reads as the socket does.

        Raises:
            WebsocketConnectionError: the time is over.
        """
        if time.monotonic() > self._until_s:
            raise paho.WebsocketConnectionError(f"its answer takes more than {HANDSHAKE_S:g} s")
        received: bytes = self.opened.recv(size)
        return received
