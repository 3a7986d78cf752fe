"""How much the loop may work: frames a second, a share of the processor, and less while the board is hot."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from edge.errors import ConfigError
from edge.option import option
from edge.types import BoardState

logger = logging.getLogger(__name__)

_LOOK_S = 5.0  # between two looks at the board, whose temperature changes slowly
_LESS, _MORE = 0.8, 1.15
_LEAST_SHARE = 0.05
_COOLER_C = 5.0
# Time not worked in is not saved up, or a quiet minute would be followed by a busy one.
_MOST_SAVED_S = 0.1
# Whose other threads alone take more than the share would otherwise owe more with every second it waits.
_MOST_OWED_S = 10.0


class BoardSensors(Protocol):
    """Whatever knows the state of the board, such as `edge.system.thermal.ThermalSensors`."""

    def state(self) -> BoardState:
        """Now."""


@dataclass(frozen=True)
class GovernorSettings:
    """Limits on the load of the machine. `cpu_share` counts the processor time of the whole process."""

    max_fps: float = field(
        default=0.0,
        metadata=option("frames processed a second at most, up to 1000; 0 for no limit", "--max-fps"),
    )
    cpu_share: float = field(
        default=0.0,
        metadata=option(
            "processor cores used at most, 0.05 to 64, such as 0.5 for half of one; 0 for no limit",
            "--cpu-share",
        ),
    )
    # A Pi 4 or 5 throttles itself from 80 degrees on, a Pi 3B+ from 60.
    hot_c: float = field(
        default=75.0,
        metadata=option(
            "degrees Celsius from which the loop works less, until it is 5 below; 20 to 150", "--hot"
        ),
    )

    def __post_init__(self) -> None:
        if not 0 <= self.max_fps <= 1000:
            raise ConfigError(f"max_fps {self.max_fps}: must be 0 (no limit) to 1000")
        if self.cpu_share and not _LEAST_SHARE <= self.cpu_share <= 64:
            raise ConfigError(f"cpu_share {self.cpu_share}: must be 0 (no limit) or {_LEAST_SHARE} to 64")
        if not 20 <= self.hot_c <= 150:
            raise ConfigError(f"hot_c {self.hot_c}: must be 20 to 150 degrees Celsius")


class Governor:
    """Says how long to wait after each frame.

    Attributes:
        state: what the board said last.
    """

    def __init__(
        self,
        settings: GovernorSettings,
        board: BoardSensors,
        clock: Callable[[], float] = time.monotonic,
        processor: Callable[[], float] = time.process_time,
    ) -> None:
        """Looks at the board for the first time.

        Args:
            settings: limits.
            board: asked now and every five seconds.
            clock: seconds, never falling.
            processor: seconds that all threads of this process took.
        """
        self._settings = settings
        self._board = board
        self._clock = clock
        self._processor = processor
        self._wall_s, self._cpu_s = self._looked_s, self._looked_cpu_s = clock(), processor()
        self._debt_s = 0.0
        self._due_s = -float("inf")
        self._share = settings.cpu_share or float("inf")
        self.state = board.state()

    def delay_s(self) -> float:
        """Seconds until the next frame may be begun; asked once after each, and waited for to the end."""
        wall_s, cpu_s = self._clock(), self._processor()
        if wall_s - self._looked_s >= _LOOK_S:
            self._sample_board(wall_s, cpu_s)
        earned_s, spent_s = wall_s - self._wall_s, (cpu_s - self._cpu_s) / self._share
        self._debt_s = min(max(self._debt_s + spent_s - earned_s, -_MOST_SAVED_S), _MOST_OWED_S)
        self._wall_s, self._cpu_s = wall_s, cpu_s
        return max(self._debt_s, self._pause_s(wall_s), 0.0)

    def _pause_s(self, wall_s: float) -> float:
        """Until the next frame is due at `max_fps`; one that was late does not make the next one early."""
        if not self._settings.max_fps:
            return 0.0
        period_s = 1 / self._settings.max_fps
        self._due_s = max(self._due_s + period_s, wall_s)
        return self._due_s - wall_s

    def _sample_board(self, wall_s: float, cpu_s: float) -> None:
        used = (cpu_s - self._looked_cpu_s) / (wall_s - self._looked_s)
        self._looked_s, self._looked_cpu_s = wall_s, cpu_s
        self.state = self._board.state()
        limit = self._settings.cpu_share or float("inf")
        before = self._share
        celsius = self.state.temperature_c
        if self.state.throttled or (celsius is not None and celsius >= self._settings.hot_c):
            self._share = max(_LEAST_SHARE, _LESS * min(self._share, used))
        elif before < limit and (celsius is None or celsius <= self._settings.hot_c - _COOLER_C):
            # Where the limit did not bind any more, it is gone.
            self._share = limit if used < _LESS * before else min(limit, _MORE * before)
        if (self._share < limit) != (before < limit):
            self._log_change(limit)
            if self._share >= limit:
                self._debt_s = 0.0  # what is owed from the time that is over

    def _log_change(self, limit: float) -> None:
        said = "" if self.state.temperature_c is None else f"{self.state.temperature_c:.0f} degrees Celsius"
        why = ", ".join([*([said] if said else []), *self.state.throttled])
        if self._share < limit:
            logger.warning("%s: working less, %.2f cores from now on", why, self._share)
        else:
            logger.info("%s: working as before", why or "cooler")
