"""How much of the time is spent in OpenCV and in the interpreter; the rest is this package's own code."""

from __future__ import annotations

import math
import time
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import cv2

from edge.inference.contract import MODELS_FOLDER, find_model
from edge.inference.interpreter import open_interpreter

# An interpreter is opened within the loop, too: for windows of a size that was not searched before.
_METHODS = (
    *("__init__", "allocate_tensors", "resize_tensor_input", "get_input_details", "get_output_details"),
    *("set_tensor", "invoke", "get_tensor"),
)
_CALIBRATION_CALLS = 200
_CALIBRATION_RUNS = 100


class LibraryTime:
    """Seconds in the libraries since the beginning, and how many calls they are spread over.

    Attributes:
        seconds: The sum so far; each call's includes that of reading the clock.
        calls: Number of calls so far.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self.calls = 0

    def timed(self, function: Any) -> Any:
        """Returns a function that does the same and adds its time."""

        def call(*args: Any, **kwargs: Any) -> Any:
            start_s = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                self.seconds += time.perf_counter() - start_s
                self.calls += 1

        return call

    def own_share(self, wall_s: float) -> float:
        """Returns the share of some time that was not spent in the libraries, 0 to 1.

        To time a call takes about half a microsecond, and a frame has hundreds of calls: what that adds to
        both times is measured with a function that does nothing, and taken away.

        Args:
            wall_s: Seconds in which all calls so far were made.
        """
        added_s, counted_s = _cost_of_timing_s()
        total_s = wall_s - self.calls * added_s
        libraries_s = self.seconds - self.calls * counted_s
        return min(max(0.0, 1 - libraries_s / total_s), 1.0)


@contextmanager
def library_time() -> Iterator[LibraryTime]:
    """Measures the time in OpenCV's functions and in interpreters, opened before or meanwhile.

    Methods of OpenCV's classes cannot be replaced, so the cascade of `--detector haar` is not among them.
    """
    measured = LibraryTime()
    kind = type(open_interpreter(find_model(MODELS_FOLDER, "gender").with_suffix(".tflite").read_bytes()))
    functions = [name for name, value in vars(cv2).items() if isinstance(value, types.BuiltinFunctionType)]
    before: list[tuple[Any, str, Any]] = []
    for owner, names in ((cv2, functions), (kind, _METHODS)):
        for name in names:
            before.append((owner, name, getattr(owner, name)))
            setattr(owner, name, measured.timed(getattr(owner, name)))
    try:
        yield measured
    finally:
        for owner, name, function in before:
            setattr(owner, name, function)


def _cost_of_timing_s() -> tuple[float, float]:
    """Returns by how many seconds timing prolongs a call, and how many of them count as the call's own."""
    measured = LibraryTime()
    timed = measured.timed(_do_nothing)
    empty_s = bare_s = timed_s = counted_s = math.inf
    # Each the least of many short runs: another process that takes the processor only ever adds time.
    for _ in range(_CALIBRATION_RUNS):
        empty_s = min(empty_s, _duration_s(None))
        bare_s = min(bare_s, _duration_s(_do_nothing))
        before_s = measured.seconds
        timed_s = min(timed_s, _duration_s(timed))
        counted_s = min(counted_s, measured.seconds - before_s)
    added_s, counted_s = timed_s - bare_s, counted_s - (bare_s - empty_s)
    return added_s / _CALIBRATION_CALLS, counted_s / _CALIBRATION_CALLS


def _do_nothing(*_: object, **__: object) -> None:
    """Stands for a function of a library."""


def _duration_s(function: Callable[..., None] | None) -> float:
    """Returns how long many calls with usual arguments take; None for the loop around them alone."""
    start_s = time.perf_counter()
    for _ in range(_CALIBRATION_CALLS):
        if function is not None:
            function(start_s, start_s, interpolation=0)
    return time.perf_counter() - start_s
