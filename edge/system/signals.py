"""Signals that end a run, or restart it with new settings."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Generic, TypeVar

from edge.errors import EdgeError

logger = logging.getLogger(__name__)

_TICK_S = 0.02  # how long a wait may go on after a signal

_Settings = TypeVar("_Settings")


class StopSignals(Generic[_Settings]):
    """The event that ends a run, set by signals while this context manager is entered.

    SIGINT and SIGTERM end the run. SIGHUP calls `renew` between two frames: the settings that it returns end
    the run and wait in `new_settings`. If it raises an error that a user can cause, the error is logged, and
    the run goes on. If the terminal of the run was closed, SIGHUP ends it: nobody would see that it still has
    the camera. Signals that come after one has ended the run are ignored, also when this context manager
    is left: the process is about to end, and they must not change its exit code.

    The handlers take no lock: a second signal enters them while they run, and would wait for itself for ever.

    Attributes:
        new_settings: The settings of the next run; None after SIGINT and SIGTERM.
    """

    def __init__(self, *, ends_with_terminal: bool = False) -> None:
        """Starts without new settings; handles no signal yet.

        Args:
            ends_with_terminal: Whether there is a terminal now, and the run ends if it is closed.
        """
        self._ends_with_terminal = ends_with_terminal
        self.new_settings: _Settings | None = None
        self._renew: Callable[[], _Settings] | None = None
        self._ended = False
        self._asked = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> StopSignals[_Settings]:
        for number, handler in (
            (signal.SIGINT, self._end),
            (signal.SIGTERM, self._end),
            (signal.SIGHUP, self._ask),
        ):
            self._before[number] = signal.signal(number, handler)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, earlier in self._before.items():
            signal.signal(number, signal.SIG_IGN if self._ended else earlier)

    def arm(self, renew: Callable[[], _Settings]) -> None:
        """Prepares for a new run.

        Args:
            renew: Reads the settings again, and checks that a run could use them.
        """
        self._renew, self.new_settings = renew, None

    def is_set(self) -> bool:
        """Returns whether the run must end; called between frames, in the thread of the run."""
        if self._asked and self._ends_with_terminal and not has_terminal():
            self._ended = True
        if self._asked and self._renew is not None and self.new_settings is None and not self._ended:
            self._asked = False
            try:
                self.new_settings = self._renew()
                logger.info("SIGHUP: restarting with new settings")
            except (EdgeError, OSError) as error:  # OSError: a folder that this user may not read
                logger.error("SIGHUP: %s; keeping the old settings", " ".join(str(error).split()))
        if self._ended:
            self.new_settings = None
        return self._ended or self.new_settings is not None

    def wait(self, timeout: float) -> bool:
        """Waits until the run must end, for at most `timeout` seconds."""
        end_s = time.monotonic() + timeout
        while not self.is_set():
            left_s = end_s - time.monotonic()
            if left_s <= 0:
                return False
            time.sleep(min(left_s, _TICK_S))
        return True

    def _end(self, *_: object) -> None:
        self._ended = True

    def _ask(self, *_: object) -> None:
        self._asked = True


def has_terminal() -> bool:
    """Returns whether this process has a terminal that is still open."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True
