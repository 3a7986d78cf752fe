"""The network between program and broker, with faults that last until a walk ends them."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Literal

_SLOW_BYTES_S = 2000
_STEP_S = 0.05
_PUBACK = 4

Mode = Literal["open", "slow", "dead", "deaf", "refusing"]


class Network:
    """Forwards connections to a port of this machine.

    Attributes:
        port: Port on which it listens.
        mode: `open`; `slow`; `dead`: nothing passes, but connections stay open, and what was under way
            arrives later; `deaf`: the broker's acknowledgements of messages are lost; `refusing`:
            connections are closed, and nobody listens.
    """

    def __init__(self, target: int) -> None:
        self.mode: Mode = "open"
        self._target = target
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def set_mode(self, mode: Mode) -> None:
        """Changes how it forwards, from the next bytes on."""
        before, self.mode = self.mode, mode
        if mode == "refusing" != before:
            self._close()
        elif before == "refusing" != mode:
            self._listener = socket.create_server(("127.0.0.1", self.port))
            threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _close(self) -> None:
        sockets, self._sockets = self._sockets, []
        for each in (self._listener, *sockets):
            _shut(each)
            each.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                device, _ = listener.accept()
            except OSError:
                return
            try:
                broker = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                device.close()
                continue
            self._sockets += [device, broker]
            for one, other, from_broker in ((device, broker, False), (broker, device, True)):
                one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                threading.Thread(target=self._pump, args=(one, other, from_broker), daemon=True).start()

    def _pump(self, one: socket.socket, other: socket.socket, from_broker: bool) -> None:
        rest = b""
        with contextlib.suppress(OSError):
            while True:
                slow = self.mode == "slow"
                if slow:
                    time.sleep(_STEP_S)
                data = one.recv(int(_SLOW_BYTES_S * _STEP_S) if slow else 4096)
                while self.mode == "dead":
                    time.sleep(_STEP_S)
                if not data:
                    break
                if from_broker:
                    rest += data
                    packets = list(complete_packets(rest))
                    rest = rest[sum(map(len, packets)) :]
                    deaf = self.mode == "deaf"
                    data = b"".join(each for each in packets if not (deaf and each[0] >> 4 == _PUBACK))
                other.sendall(data)
        for each in (one, other):
            _shut(each)


def complete_packets(data: bytes) -> Iterator[bytes]:
    """Yields the MQTT packets at the beginning of some bytes that are complete."""
    start = 0
    while True:
        position, length, shift = start + 1, 0, 0
        while position < len(data):
            length |= (data[position] & 0x7F) << shift
            shift += 7
            position += 1
            if data[position - 1] < 0x80:
                break
        else:
            return
        end = position + length
        if end > len(data):
            return
        yield data[start:end]
        start = end


def _shut(each: socket.socket) -> None:
    with contextlib.suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
