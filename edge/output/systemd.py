"""Notifies systemd that the run is alive, over the socket that systemd names (sd_notify(3))."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Mapping

from edge.output.sink import IdleReason, Sink
from edge.types import Frame, Report

_STATUS_INTERVAL_S = 5.0
# The watchdog is notified after this share of its timeout.
_WATCHDOG_SHARE = 0.25
# Until the first frame, systemd is asked again and again for so much more time to start.
_START_TIMEOUT_US = 60_000_000


class SystemdSink(Sink):
    """Sends READY with the first frame, WATCHDOG with later ones, and STATUS for `systemctl status`.

    A loop that hangs sends nothing, and systemd restarts the service. While the camera is gone and is being
    reopened, the loop is healthy and keeps on notifying.
    """

    def __init__(self, path: str, watchdog_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Sends nothing yet.

        Args:
            path: Path of the socket; a name in the abstract namespace begins with @.
            watchdog_s: Seconds of silence after which systemd restarts the service; 0 for no watchdog.
            clock: Returns seconds; monotonic.
        """
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._address = "\0" + path[1:] if path.startswith("@") else path
        self._watchdog_interval_s = watchdog_s * _WATCHDOG_SHARE
        self._clock = clock
        self._ready = self._closed = False
        self._next_watchdog_s = self._next_status_s = -float("inf")

    def send(self, frame: Frame, report: Report) -> None:
        """Notifies that a frame was processed; ignores the frame."""
        rates = report.rates
        self._notify_ready(f"{rates.processed_fps:.1f} frames a second, faces: {len(report.faces)}")

    def idle(self, reason: IdleReason) -> None:
        """Notifies that the run is alive although no frame was processed, if the reason proves that."""
        if reason == "gone":
            lines = [] if self._ready else [f"EXTEND_TIMEOUT_USEC={_START_TIMEOUT_US}"]
            self._notify(lines, "the camera is gone, it is tried again")
        elif reason == "off":
            # Frames arrive, so that a service that is switched off from the start has started.
            self._notify_ready("switched off")
        elif reason == "rest":
            self._notify_ready("")  # the status of the last frame stays

    def close(self) -> None:
        """Notifies that the service stops; further calls do nothing."""
        if not self._closed:
            self._closed = True
            self._send("STOPPING=1")
            self._socket.close()

    def _notify_ready(self, status: str) -> None:
        sent = self._notify([] if self._ready else ["READY=1"], status)
        self._ready = self._ready or sent

    def _notify(self, lines: list[str], status: str) -> bool:
        """Sends what is due.

        Args:
            lines: Lines to send, to which the watchdog's and the status are added when they are due.
            status: Status; empty to leave the last one.

        Returns:
            Whether something was due and was sent.
        """
        now_s = self._clock()
        if self._watchdog_interval_s and now_s >= self._next_watchdog_s:
            lines.append("WATCHDOG=1")
            self._next_watchdog_s = now_s + self._watchdog_interval_s
        if status and now_s >= self._next_status_s:
            lines.append(f"STATUS={status}")
            self._next_status_s = now_s + _STATUS_INTERVAL_S
        elif lines and lines[0].startswith("EXTEND"):
            return False  # asked for with every status, which is often enough
        return bool(lines) and self._send("\n".join(lines))

    def _send(self, text: str) -> bool:
        try:
            self._socket.sendto(text.encode(), socket.MSG_DONTWAIT, self._address)
        except (
            OSError
        ):  # systemd restarts itself, or its socket is full for a moment; try again with the next
            self._next_watchdog_s = self._next_status_s = -float("inf")
            return False
        return True


def open_notify(
    environment: Mapping[str, str], clock: Callable[[], float] = time.monotonic
) -> SystemdSink | None:
    """Returns the sink for the socket that systemd names; None if it names none.

    Args:
        environment: Environment with NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID, all optional.
        clock: Returns seconds; monotonic.
    """
    path = environment.get("NOTIFY_SOCKET", "")
    if not path:
        return None
    is_watched = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    watchdog_us = environment.get("WATCHDOG_USEC", "0") if is_watched else "0"
    return SystemdSink(path, int(watchdog_us) / 1e6 if watchdog_us.isdecimal() else 0.0, clock)
