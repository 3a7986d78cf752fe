"""How long the stages of a frame's work take."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any


class StageTimer:
    """Adds up how long each stage takes, frame by frame.

    Attributes:
        frames: {stage: milliseconds} of each finished frame, with the stages that ran in it.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        """Starts with the first frame.

        Args:
            clock: Returns seconds.
        """
        self.frames: list[Mapping[str, float]] = []
        self._clock = clock
        self._current: defaultdict[str, float] = defaultdict(float)

    def end_frame(self) -> None:
        """Appends the current frame to `frames` and begins the next one."""
        self.frames.append(dict(self._current))
        self._current.clear()

    def discard_frame(self) -> None:
        """Begins the next frame without keeping the current one."""
        self._current.clear()

    def timed(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Returns a function that does the same and adds the time of each call to the stage."""
        current, clock = self._current, self._clock

        def call(*args: Any, **kwargs: Any) -> Any:
            start_s = clock()
            try:
                return function(*args, **kwargs)
            finally:
                current[stage] += 1e3 * (clock() - start_s)

        return call

    def instrument(self, instance: object, **stages: str) -> None:
        """Has some methods of an object timed from now on.

        Args:
            instance: Any object whose attributes can be set.
            **stages: {name of a method: stage to which the time of its calls is added}.
        """
        for method, stage in stages.items():
            setattr(instance, method, self.timed(stage, getattr(instance, method)))
