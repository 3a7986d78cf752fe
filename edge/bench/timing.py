"""How long the parts of a frame's work take."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any


class StageTimer:
    """Adds up what each stage takes, frame by frame.

    Attributes:
        frames: of each finished frame the milliseconds of the stages that it had.
    """

    def __init__(self) -> None:
        self.frames: list[Mapping[str, float]] = []
        self._running: defaultdict[str, float] = defaultdict(float)

    def next_frame(self) -> None:
        """Ends a frame."""
        self.frames.append(dict(self._running))
        self._running.clear()

    def forget(self) -> None:
        """Drops a frame that nobody asks about."""
        self._running.clear()

    def timed(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, which counts for a stage each time it is called."""
        running, clock = self._running, time.perf_counter

        def call(*arguments: Any, **named: Any) -> Any:
            begun = clock()
            try:
                return function(*arguments, **named)
            finally:
                running[stage] += 1e3 * (clock() - begun)

        return call

    def instrument(self, subject: object, **stages: str) -> None:
        """Makes methods of one object count for stages: {method: stage}."""
        for method, stage in stages.items():
            setattr(subject, method, self.timed(stage, getattr(subject, method)))
