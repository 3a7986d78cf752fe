"""How much of the time is spent in OpenCV and in the interpreter; the rest is this package's own code."""

from __future__ import annotations

import math
import time
import types
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import cv2
import numpy as np

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
    """How long each call of the libraries takes, and what this package does between the calls.

    Attributes:
        library_s: Seconds of each call, including a part of what it takes to time it.
        own_s: Seconds from the start of a frame or the end of a call to the next call or the end of the
            frame, including the other part.
    """

    def __init__(self) -> None:
        self.library_s: list[float] = []
        self.own_s: list[float] = []
        self._since_s = 0.0

    def timed(self, function: Any) -> Any:
        """Returns a function that does the same and adds its time."""

        def call(*args: Any, **kwargs: Any) -> Any:
            start_s = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                end_s = time.perf_counter()
                self.own_s.append(start_s - self._since_s)
                self.library_s.append(end_s - start_s)
                self._since_s = end_s

        return call

    def begin_frame(self) -> None:
        """Begins a frame: what was done since the last one counts for nobody."""
        self._since_s = time.perf_counter()

    def end_frame(self) -> None:
        """Adds what was done since the last call."""
        self.own_s.append(time.perf_counter() - self._since_s)


def own_share(runs: Sequence[LibraryTime]) -> float:
    """Returns the share of the time that is not spent in the libraries, 0 to 1.

    Each call, and what is done between two calls, counts with its least time in any run: another process that
    takes the processor only ever adds time, and seldom at the same call.

    To time a call takes about half a microsecond, and a frame has hundreds of calls: what that adds to both
    times is measured with a function that does nothing, and taken away.

    Args:
        runs: Times of the same frames, and so of the same calls in the same order.

    Raises:
        ValueError: the runs differ in their number of calls.
    """
    added_s, counted_s = _cost_of_timing_s()
    calls = len(runs[0].library_s)
    library_s = np.min([run.library_s for run in runs], axis=0).sum() - calls * counted_s
    own_s = np.min([run.own_s for run in runs], axis=0).sum() - calls * (added_s - counted_s)
    return float(min(max(0.0, own_s / (own_s + library_s)), 1.0))


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
        measured.library_s.clear()
        timed_s = min(timed_s, _duration_s(timed))
        counted_s = min(counted_s, sum(measured.library_s))
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
