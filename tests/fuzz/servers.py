"""Servers in the worker that answer with an input."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import re
import select
import socket
import threading
from collections.abc import Callable

from tests.fuzz.target import BrokenPromiseError

_WAIT_S = 15.0
_WEBSOCKET = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Listener:
    """A port on which one connection after the other is answered, in the caller's thread."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._connection: socket.socket | None = None

    def answer(self, content: bytes) -> bytes:
        """Waits for a client, answers its first words, and returns all that it sends until it leaves.

        Raises:
            BrokenPromiseError: No client comes, or it stays though the server has left.
        """
        while True:
            self.wait_for_client()
            self._connection, _ = self._socket.accept()
            with self._connection as connection:
                connection.settimeout(_WAIT_S)
                try:
                    first = connection.recv(1 << 16)
                    if not first:  # it waited for too long in the queue
                        continue
                    return first + self._converse(connection, _with_key(content, first))
                except TimeoutError as error:
                    raise BrokenPromiseError("the client stays though the server has left") from error
                except OSError:
                    return b""

    def wait_for_client(self) -> None:
        """Waits until the next client is there.

        Raises:
            BrokenPromiseError: None comes.
        """
        if not select.select([self._socket], [], [], _WAIT_S)[0]:
            raise BrokenPromiseError("the client does not come back")

    def close(self) -> None:
        """Ends a connection that is still open, and accepts no more."""
        self._socket.close()
        if self._connection is not None:
            with contextlib.suppress(OSError):
                self._connection.shutdown(socket.SHUT_RDWR)

    def _converse(self, connection: socket.socket, content: bytes) -> bytes:
        received = b""
        with contextlib.suppress(ConnectionError):
            connection.sendall(content)
            connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(1 << 16):
                received += part
        return received


class AnsweringThread:
    """Answers every connection with the same input, in a thread, while a client reads it.

    Attributes:
        port: Port on which it listens.
        answered: Set when the input was sent once.
    """

    def __init__(self, serve: Callable[[socket.socket], object]) -> None:
        """Begins to listen.

        Args:
            serve: Sends the input over a connection.
        """
        self.answered = threading.Event()
        self._serve = serve
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __enter__(self) -> AnsweringThread:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.settimeout(_WAIT_S)
            with connection, contextlib.suppress(OSError):
                self._serve(connection)
                self.answered.set()
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(1 << 16):
                    pass
            self.answered.set()


def _with_key(content: bytes, request: bytes) -> bytes:
    """Fills in the answer to a websocket's key, without which no input gets any further."""
    key = re.search(rb"Sec-WebSocket-Key: *(\S+)", request, re.IGNORECASE)
    accept = base64.b64encode(hashlib.sha1(key[1] + _WEBSOCKET).digest()) if key else b""
    return content.replace(b"{accept}", accept)
