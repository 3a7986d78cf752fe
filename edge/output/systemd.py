"""Tells systemd that the loop runs, over the socket that it names (sd_notify(3))."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Mapping

from edge.output.sink import IdleReason, Sink
from edge.types import Frame, Report

_STATUS_S = 5.0
# Of the watchdog's time until the next sign of life.
_SHARE = 0.25
# While the first picture is waited for, systemd is asked for so much more time, again and again.
_PATIENCE_US = 60_000_000


class SystemdSink(Sink):
    """READY with the first picture, WATCHDOG with further ones, STATUS for `systemctl status`.

    A loop that hangs sends nothing, and systemd restarts it. While the camera is gone and tried again the
    loop is well, and says that.
    """

    def __init__(self, path: str, watchdog_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Says nothing yet.

        Args:
            path: of the socket; a name in the abstract namespace begins with @.
            watchdog_s: after which systemd takes silence for death; 0 where it does not.
            clock: seconds, never falling.
        """
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._address = "\0" + path[1:] if path.startswith("@") else path
        self._alive_s = watchdog_s * _SHARE
        self._clock = clock
        self._ready = self._closed = False
        self._next_alive_s = self._next_status_s = -float("inf")

    def send(self, frame: Frame, report: Report) -> None:
        """A frame was processed; it is not looked at."""
        rates = report.rates
        self._tell_ready(f"{rates.processed_fps:.1f} frames a second, faces: {len(report.faces)}")

    def idle(self, reason: IdleReason) -> None:
        """Nothing was processed; only where that is known to be right is it a sign of life."""
        if reason == "gone":
            words = [] if self._ready else [f"EXTEND_TIMEOUT_USEC={_PATIENCE_US}"]
            self._tell(words, "the camera is gone, it is tried again")
        elif reason == "off":
            # Pictures come: a service that is switched off from the start has started, too.
            self._tell_ready("switched off")
        elif reason == "rest":
            self._tell_ready("")  # what the last picture gave stays to be seen

    def close(self) -> None:
        """Says that it ends; may be called again."""
        if not self._closed:
            self._closed = True
            self._send("STOPPING=1")
            self._socket.close()

    def _tell_ready(self, status: str) -> None:
        sent = self._tell([] if self._ready else ["READY=1"], status)
        self._ready = self._ready or sent

    def _tell(self, words: list[str], status: str) -> bool:
        """Gives whether something was due, and was sent; an empty status leaves the last one."""
        now_s = self._clock()
        if self._alive_s and now_s >= self._next_alive_s:
            words.append("WATCHDOG=1")
            self._next_alive_s = now_s + self._alive_s
        if status and now_s >= self._next_status_s:
            words.append(f"STATUS={status}")
            self._next_status_s = now_s + _STATUS_S
        elif words and words[0].startswith("EXTEND"):
            return False
        return bool(words) and self._send("\n".join(words))

    def _send(self, text: str) -> bool:
        # systemd that restarts itself, or a socket that is full for a moment, is no reason to end.
        try:
            self._socket.sendto(text.encode(), socket.MSG_DONTWAIT, self._address)
        except OSError:
            self._next_alive_s = self._next_status_s = -float("inf")
            return False
        return True


def open_notify(environment: Mapping[str, str]) -> SystemdSink | None:
    """The sink for the socket that systemd names; None where it names none."""
    path = environment.get("NOTIFY_SOCKET", "")
    if not path:
        return None
    mine = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    watchdog = environment.get("WATCHDOG_USEC", "0") if mine else "0"
    return SystemdSink(path, int(watchdog) / 1e6 if watchdog.isdecimal() else 0.0)
