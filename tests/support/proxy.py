"""A network between a device and a broker that goes bad: it stalls without closing, or becomes slow."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Sequence


class Proxy:
    """Forwards connections to a port of this machine.

    Attributes:
        port: Port on which it listens.
        bytes_s: Bytes per second that each direction of a connection carries; None for no limit.
    """

    def __init__(self, target: int) -> None:
        """Starts to listen.

        Args:
            target: Port to which connections are forwarded.
        """
        self.bytes_s: int | None = None
        self._target = target
        # Each connection keeps those that were current when it began.
        self._stalled, self._muted = threading.Event(), threading.Event()
        self._closed = threading.Event()
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def stall(self) -> None:
        """Stops forwarding on the present connections; new ones work."""
        self._stalled.set()
        self._stalled = threading.Event()

    def mute(self) -> None:
        """Stops forwarding from the broker on the present connections, as if acknowledgements were lost."""
        self._muted.set()
        self._muted = threading.Event()

    def close(self) -> None:
        """Closes all connections, and accepts no more."""
        self._closed.set()
        for each in (self._listener, *self._sockets):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        while not self._closed.is_set():
            try:
                device, _ = self._listener.accept()
                broker = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                return
            self._sockets += [device, broker]
            for one, other, stopped in (
                (device, broker, (self._stalled,)),
                (broker, device, (self._stalled, self._muted)),
            ):
                # Small buffers, so that a slow network is felt on both sides.
                one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                threading.Thread(target=self._pump, args=(one, other, stopped), daemon=True).start()

    def _pump(self, one: socket.socket, other: socket.socket, stopped: Sequence[threading.Event]) -> None:
        try:
            while not self._closed.is_set():
                if self.bytes_s is not None:
                    time.sleep(0.1)
                data = one.recv(4096 if self.bytes_s is None else max(1, self.bytes_s // 10))
                if any(event.is_set() for event in stopped):
                    self._closed.wait()
                    return
                if not data:
                    break
                other.sendall(data)
        except OSError:
            pass  # one side has gone; the other one is closed below
        for each in (one, other):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
