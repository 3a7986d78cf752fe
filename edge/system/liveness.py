"""Tells whether a run is alive, for a container's HEALTHCHECK: `python -m edge.system.liveness`.

A run notifies the socket that NOTIFY_SOCKET names (`edge.output.systemd`). In a container, only this program
listens there, and only for a moment. What was sent before is lost, so a notification that arrives was sent by
a run that is alive now. The socket's name is in the abstract namespace: it needs no file, and ends with the
process that bound it, however that ends.

Only the standard library is imported, because this program starts once a minute on a small board.
"""

from __future__ import annotations

import errno
import os
import re
import socket
import sys
import time
from collections.abc import Mapping

# A notification has fewer bytes than that.
_MAX_BYTES = 4096


def check_liveness(environment: Mapping[str, str]) -> tuple[int, str]:
    """Waits for a notification of the run for as long as systemd would.

    Args:
        environment: The run's environment: NOTIFY_SOCKET, a name in the abstract namespace, which begins
            with @; and WATCHDOG_USEC, the microseconds of silence after which the run counts as hung.

    Returns:
        Exit code and a line that explains it: 0 if the run is alive, 1 if it is not, 2 for a wrong variable.
    """
    name, watchdog_us = environment.get("NOTIFY_SOCKET", ""), environment.get("WATCHDOG_USEC", "")
    if len(name) < 2 or not name.startswith("@"):
        return 2, f"NOTIFY_SOCKET {name!r}: expected a name that begins with @, such as @emotiny"
    if not re.fullmatch("[1-9][0-9]{0,11}", watchdog_us):
        return 2, f"WATCHDOG_USEC {watchdog_us!r}: expected microseconds, such as 30000000"
    limit_s = int(watchdog_us) / 1e6
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        try:
            listener.bind("\0" + name[1:])
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                return 2, f"NOTIFY_SOCKET {name!r}: cannot listen: {error.strerror or error}"
            return 1, f"{name}: cannot listen: {error.strerror}; is another check running?"
        return _wait(listener, limit_s)


def _wait(listener: socket.socket, limit_s: float) -> tuple[int, str]:
    end_s = time.monotonic() + limit_s
    while (left_s := end_s - time.monotonic()) > 0:
        listener.settimeout(left_s)
        try:
            lines = listener.recv(_MAX_BYTES).decode(errors="replace").split("\n")
        except TimeoutError:
            break
        if "WATCHDOG=1" in lines:
            status = next((line[7:] for line in lines if line.startswith("STATUS=")), "")
            return 0, "alive" + (f": {status}" if status else "")
    return 1, f"no sign of life within {limit_s:g} s"


if __name__ == "__main__":
    code, line = check_liveness(os.environ)
    sys.stdout.write(f"{line}\n")
    sys.exit(code)
