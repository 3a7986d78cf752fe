"""Limits how much the loop works: frames per second, processor time, and less while the board is hot."""

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

_SAMPLE_S = 5.0  # between two samples of the board's sensors; temperature changes slowly
_LESS, _MORE = 0.8, 1.15  # factors of the share while the board is hot, and once it is cool again
_MIN_SHARE = 0.05
_HYSTERESIS_C = 5.0
# Unused time is hardly saved up, or a quiet minute would be followed by a busy one.
_MAX_CREDIT_S = 0.1
# Where other threads of the process alone exceed the share, waiting would only increase the debt.
_MAX_DEBT_S = 10.0


class BoardSensors(Protocol):
    """Interface of the sensors of a board, such as `ThermalSensors`."""

    def state(self) -> BoardState:
        """Reads the sensors now."""


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
        if self.cpu_share and not _MIN_SHARE <= self.cpu_share <= 64:
            raise ConfigError(f"cpu_share {self.cpu_share}: must be 0 (no limit) or {_MIN_SHARE} to 64")
        if not 20 <= self.hot_c <= 150:
            raise ConfigError(f"hot_c {self.hot_c}: must be 20 to 150 degrees Celsius")


class Governor:
    """Computes how long the loop must wait after each frame.

    Attributes:
        state: Last sample of the board's sensors.
    """

    def __init__(
        self,
        settings: GovernorSettings,
        board: BoardSensors,
        clock: Callable[[], float] = time.monotonic,
        processor: Callable[[], float] = time.process_time,
    ) -> None:
        """Samples the board's sensors for the first time.

        Args:
            settings: The limits.
            board: Sensors, sampled now and every five seconds.
            clock: Time in seconds, never falling.
            processor: Processor time of all threads of this process in seconds.
        """
        self._settings = settings
        self._board = board
        self._clock = clock
        self._processor = processor
        self._wall_s, self._cpu_s = self._sampled_s, self._sampled_cpu_s = clock(), processor()
        self._debt_s = 0.0
        self._due_s = -float("inf")
        self._share = settings.cpu_share or float("inf")
        self.state = board.state()

    def delay_s(self) -> float:
        """Returns the seconds to wait before the next frame; must be called once after each frame."""
        wall_s, cpu_s = self._clock(), self._processor()
        if wall_s - self._sampled_s >= _SAMPLE_S:
            self._sample_board(wall_s, cpu_s)
        earned_s, spent_s = wall_s - self._wall_s, (cpu_s - self._cpu_s) / self._share
        self._debt_s = min(max(self._debt_s + spent_s - earned_s, -_MAX_CREDIT_S), _MAX_DEBT_S)
        self._wall_s, self._cpu_s = wall_s, cpu_s
        return max(self._debt_s, self._pause_s(wall_s), 0.0)

    def _pause_s(self, wall_s: float) -> float:
        """Returns the seconds until the next frame is due at `max_fps`; none comes early after a late one."""
        if not self._settings.max_fps:
            return 0.0
        period_s = 1 / self._settings.max_fps
        self._due_s = max(self._due_s + period_s, wall_s)
        return self._due_s - wall_s

    def _sample_board(self, wall_s: float, cpu_s: float) -> None:
        used = (cpu_s - self._sampled_cpu_s) / (wall_s - self._sampled_s)
        self._sampled_s, self._sampled_cpu_s = wall_s, cpu_s
        self.state = self._board.state()
        limit = self._settings.cpu_share or float("inf")
        before = self._share
        celsius = self.state.temperature_c
        if self.state.throttled or (celsius is not None and celsius >= self._settings.hot_c):
            self._share = max(_MIN_SHARE, _LESS * min(self._share, used))
        elif before < limit and (celsius is None or celsius <= self._settings.hot_c - _HYSTERESIS_C):
            # A share that was not used up limits nothing any more.
            self._share = limit if used < _LESS * before else min(limit, _MORE * before)
        if (self._share < limit) != (before < limit):
            self._log_change(limit)
            if self._share >= limit:
                self._debt_s = 0.0  # the debt is from the hot time that is over

    def _log_change(self, limit: float) -> None:
        celsius = self.state.temperature_c
        reasons = [] if celsius is None else [f"{celsius:.0f} degrees Celsius"]
        reason = ", ".join([*reasons, *self.state.throttled])
        if self._share < limit:
            logger.warning("%s: working less, %.2f cores from now on", reason, self._share)
        else:
            logger.info("%s: working as before", reason or "cooler")
