"""The same file under every runtime: whether the answers agree, and how long they take beside others."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.inference.interpreter import Interpreter, installed_runtimes, open_interpreter
from edge.types import Gray

_THREADS = (1, 4)
# TensorFlow's own is LiteRT's under another name, and says so at length whenever it is opened.
_LEFT_OUT = "tensorflow"
_CALLS = 5  # a round: long against the clock, short against what else the machine does


@dataclass(frozen=True)
class RuntimeAnswers:
    """How one runtime answers beside the first.

    Attributes:
        runtime: its name.
        threads: that it was given.
        same_label: share of pictures with the same top label, 0 to 1.
        same_bits: share of pictures whose answers are equal in every bit, 0 to 1.
        largest: difference of two quantized logits, in steps of the output's scale.
    """

    runtime: str
    threads: int
    same_label: float
    same_bits: float
    largest: int


def compare_runtimes(content: bytes, crops: Gray) -> tuple[RuntimeAnswers, ...]:
    """Asks every light runtime that is installed, with one thread and with several.

    Args:
        content: an int8 .tflite file with uint8 pixels as input.
        crops: (N, size, size) uint8.

    Returns:
        One for each runtime and number of threads; the first is what the others are compared with.
    """
    found: list[RuntimeAnswers] = []
    first: npt.NDArray[np.int32] | None = None
    for runtime in (name for name in installed_runtimes() if name != _LEFT_OUT):
        for threads in _THREADS:
            logits = _ask(open_interpreter(content, threads, runtime), crops)
            first = logits if first is None else first
            found.append(
                RuntimeAnswers(
                    runtime,
                    threads,
                    float((logits.argmax(axis=1) == first.argmax(axis=1)).mean()),
                    float((logits == first).all(axis=1).mean()),
                    int(np.abs(logits - first).max()),
                )
            )
    return tuple(found)


def latency_ratios(contents: Mapping[str, bytes], rounds: int = 40) -> dict[str, float]:
    """How long each network takes beside the first, on this machine, with one thread.

    All take turns within each round, so that what else happens on the machine happens to all.

    Args:
        contents: {name: .tflite file}, all opened by the preferred runtime.
        rounds: of which the median counts.

    Returns:
        {name: its time over the first one's}, 1.0 for the first.
    """
    random = np.random.default_rng(0)
    networks = {name: open_interpreter(content) for name, content in contents.items()}
    for interpreter in networks.values():
        details = interpreter.get_input_details()[0]
        pixels = random.integers(0, 256, details["shape"]).astype(details["dtype"])
        interpreter.set_tensor(details["index"], pixels)
        interpreter.invoke()
    taken = np.array([[_seconds(each) for each in networks.values()] for _ in range(rounds)])
    ratios = np.median(taken / taken[:, :1], axis=0)
    return dict(zip(networks, map(float, ratios), strict=True))


def runtimes_table(answers: Sequence[RuntimeAnswers]) -> str:
    """The answers as lines to read."""
    first = answers[0]
    lines = [f"  beside {first.runtime} with {first.threads} thread(s):"]
    lines += [
        f"    {each.runtime}, {each.threads} thread(s): same label {each.same_label:.2%}, "
        f"same bits {each.same_bits:.2%}, largest difference {each.largest} steps"
        for each in answers[1:]
    ]
    return "\n".join(lines)


def _ask(interpreter: Interpreter, crops: Gray) -> npt.NDArray[np.int32]:
    """(N, C) quantized logits."""
    pixels, logits = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    answers: list[Any] = []
    for crop in crops:
        interpreter.set_tensor(pixels, crop[np.newaxis, ..., np.newaxis])
        interpreter.invoke()
        answers.append(interpreter.get_tensor(logits)[0].astype(np.int32))
    return np.array(answers)


def _seconds(interpreter: Interpreter) -> float:
    started = time.perf_counter()
    for _ in range(_CALLS):
        interpreter.invoke()
    return time.perf_counter() - started
