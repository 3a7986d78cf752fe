"""What signals ask of a run: to end, or to begin again with what is read anew."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable
from threading import Event
from types import TracebackType
from typing import Any, Generic, TypeVar

from edge.errors import EdgeError

logger = logging.getLogger(__name__)

_Settings = TypeVar("_Settings")


class StopSignals(Generic[_Settings]):
    """Stands in for the event that ends a run, while the block that it is entered for runs.

    SIGINT and SIGTERM end the run. SIGHUP has `renew` called between two frames: what it gives ends the run
    too, and waits in `new_settings`; what it raises of what a user can cause is logged, and the run goes on
    as before.

    Attributes:
        new_settings: what the next run is to have; None after SIGINT and SIGTERM.
    """

    def __init__(self) -> None:
        """Knows of no settings yet."""
        self.new_settings: _Settings | None = None
        self._renew: Callable[[], _Settings] | None = None
        self._ended = Event()
        self._asked = Event()
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> StopSignals[_Settings]:
        for number, event in (
            (signal.SIGINT, self._ended),
            (signal.SIGTERM, self._ended),
            (signal.SIGHUP, self._asked),
        ):
            self._before[number] = signal.signal(number, lambda *_, event=event: event.set())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.restore()

    def restore(self) -> None:
        """Signals do again what they did before the block: what now comes never asks whether it is to end."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def arm(self, renew: Callable[[], _Settings]) -> None:
        """A run begins.

        Args:
            renew: reads settings anew, and looks whether a run could have them.
        """
        self._renew, self.new_settings = renew, None

    def is_set(self) -> bool:
        """Whether the run is to end; asked between frames, in the thread that runs."""
        if self._asked.is_set() and self._renew is not None and self.new_settings is None:
            self._asked.clear()
            try:
                self.new_settings = self._renew()
                logger.info("SIGHUP: beginning again with new settings")
            except (EdgeError, OSError) as error:  # the latter of a folder that this user may not look into
                logger.error("SIGHUP: %s; going on as before", " ".join(str(error).split()))
        if self._ended.is_set():
            self.new_settings = None
        return self._ended.is_set() or self.new_settings is not None

    def wait(self, timeout: float) -> bool:
        """Waits for the run to end, so many seconds at most."""
        return self._ended.wait(timeout) or self.is_set()
