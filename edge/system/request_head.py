"""Reads the head of an HTTP request within a time and a size."""

from __future__ import annotations

import socket
import time


def read_head(connection: socket.socket, limit_s: float, max_bytes: int) -> bytes:
    """Returns a request up to the empty line after its headers, or less if no more came in time or size.

    A timeout of the socket alone would let a client send one byte a second for hours.

    Args:
        connection: connection of the client; its timeout is changed.
        limit_s: seconds for the whole head.
        max_bytes: size above which no more is read.
    """
    until_s = time.monotonic() + limit_s
    head = bytearray()
    while len(head) <= max_bytes and b"\r\n\r\n" not in head:
        connection.settimeout(max(until_s - time.monotonic(), 0.001))
        try:
            received = connection.recv(1024)
        except TimeoutError:
            break
        if not received:
            break
        head += received
    end = head.find(b"\r\n\r\n")
    return bytes(head if end < 0 else head[: end + 4])
