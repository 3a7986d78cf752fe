"""Runs one file in every runtime: whether the outputs agree, and how long it takes compared to others."""

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
# TensorFlow's own runtime is LiteRT's under another name, and logs at length whenever it is opened.
_LEFT_OUT = "tensorflow"
_CALLS = 5  # in a round: long for the clock's resolution, short for other load on the machine


@dataclass(frozen=True)
class RuntimeOutputs:
    """Outputs of a runtime compared with those of the first one.

    Attributes:
        runtime: name of the runtime.
        threads: number of threads.
        same_label: share of crops with the same top label, 0 to 1.
        same_bits: share of crops whose outputs are equal in every bit, 0 to 1.
        largest: largest difference of two quantized logits, in steps of the output's scale.
    """

    runtime: str
    threads: int
    same_label: float
    same_bits: float
    largest: int


def compare_runtimes(content: bytes, crops: Gray) -> tuple[RuntimeOutputs, ...]:
    """Runs a file in every light runtime that is installed, with one thread and with several.

    Args:
        content: an int8 .tflite file with uint8 pixels as input.
        crops: (N, size, size) uint8 crops.

    Returns:
        A value for each runtime and number of threads. The first is the one that the others are compared
        with.
    """
    outputs: list[RuntimeOutputs] = []
    first: npt.NDArray[np.int32] | None = None
    for runtime in (name for name in installed_runtimes() if name != _LEFT_OUT):
        for threads in _THREADS:
            logits = _run(open_interpreter(content, threads, runtime), crops)
            first = logits if first is None else first
            outputs.append(
                RuntimeOutputs(
                    runtime,
                    threads,
                    float((logits.argmax(axis=1) == first.argmax(axis=1)).mean()),
                    float((logits == first).all(axis=1).mean()),
                    int(np.abs(logits - first).max()),
                )
            )
    return tuple(outputs)


def latency_ratios(contents: Mapping[str, bytes], rounds: int = 40) -> dict[str, float]:
    """Measures the latency of networks relative to the first one, on this machine, with one thread.

    The networks take turns within each round, so that other load on the machine slows down all of them.

    Args:
        contents: {name: content of a .tflite file}; all are run by the preferred runtime.
        rounds: number of rounds; the median of their ratios counts.

    Returns:
        {name: its latency divided by that of the first}, 1.0 for the first.
    """
    random = np.random.default_rng(0)
    networks = {name: open_interpreter(content) for name, content in contents.items()}
    for interpreter in networks.values():
        details = interpreter.get_input_details()[0]
        pixels = random.integers(0, 256, details["shape"]).astype(details["dtype"])
        interpreter.set_tensor(details["index"], pixels)
        interpreter.invoke()
    seconds = np.array([[_seconds(each) for each in networks.values()] for _ in range(rounds)])
    ratios = np.median(seconds / seconds[:, :1], axis=0)
    return dict(zip(networks, map(float, ratios), strict=True))


def runtimes_table(outputs: Sequence[RuntimeOutputs]) -> str:
    """Returns the comparison as lines to print."""
    first = outputs[0]
    lines = [f"  compared with {first.runtime}, with {first.threads} thread(s):"]
    lines += [
        f"    {each.runtime}, {each.threads} thread(s): same label {each.same_label:.2%}, "
        f"same bits {each.same_bits:.2%}, largest difference {each.largest} steps"
        for each in outputs[1:]
    ]
    return "\n".join(lines)


def _run(interpreter: Interpreter, crops: Gray) -> npt.NDArray[np.int32]:
    """Returns (N, C) quantized logits of (N, size, size) crops."""
    pixels, logits = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    rows: list[Any] = []
    for crop in crops:
        interpreter.set_tensor(pixels, crop[np.newaxis, ..., np.newaxis])
        interpreter.invoke()
        rows.append(interpreter.get_tensor(logits)[0].astype(np.int32))
    return np.array(rows)


def _seconds(interpreter: Interpreter) -> float:
    started = time.perf_counter()
    for _ in range(_CALLS):
        interpreter.invoke()
    return time.perf_counter() - started
