"""Explains why a program cannot listen on a port."""

from __future__ import annotations

import errno

from edge.errors import ConfigError, EdgeError, OutputError


def listen_error(error: OSError, endpoint: str, port: int, denied: str) -> EdgeError:
    """Returns the error to raise, which names what to do.

    Args:
        error: What the system said.
        endpoint: Address and port as the user gave them.
        port: The port.
        denied: What to do if this user has no right to the port.
    """
    if isinstance(error, PermissionError):
        return ConfigError(f"{endpoint}: {denied}")
    if error.errno == errno.EADDRINUSE:
        reason = f"another program listens there (`sudo ss -ltnp 'sport = :{port}'` shows which)"
    else:
        reason = f"{error.strerror}; expected an address of this device (`ip address` lists them)"
    return OutputError(f"{endpoint}: {reason}")
