"""How much of the time is spent in OpenCV and in the interpreter; the rest is this package's own code."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import cv2

from edge.inference.contract import MODELS_FOLDER, find_model
from edge.inference.interpreter import open_interpreter

# The functions that the loop calls for every frame or face.
_FUNCTIONS = (
    *("LUT", "absdiff", "addWeighted", "calcHist", "copyMakeBorder", "dilate", "flip", "matchTemplate"),
    *("meanStdDev", "minMaxLoc", "resize", "warpAffine"),
)
_METHODS = ("get_tensor", "invoke", "set_tensor")


class LibraryTime:
    """Seconds in the libraries since the beginning.

    Attributes:
        seconds: The sum so far.
    """

    def __init__(self) -> None:
        self.seconds = 0.0

    def timed(self, function: Any) -> Any:
        """Returns a function that does the same and adds its time."""

        def call(*args: Any, **kwargs: Any) -> Any:
            start_s = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                self.seconds += time.perf_counter() - start_s

        return call


@contextmanager
def library_time() -> Iterator[LibraryTime]:
    """Measures the time in OpenCV and in interpreters that were opened before or are opened meanwhile."""
    measured = LibraryTime()
    kind = type(open_interpreter(find_model(MODELS_FOLDER, "gender").with_suffix(".tflite").read_bytes()))
    before: list[tuple[Any, str, Any]] = []
    for owner, names in ((cv2, _FUNCTIONS), (kind, _METHODS)):
        for name in names:
            before.append((owner, name, getattr(owner, name)))
            setattr(owner, name, measured.timed(getattr(owner, name)))
    try:
        yield measured
    finally:
        for owner, name, function in before:
            setattr(owner, name, function)
