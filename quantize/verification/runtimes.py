"""Runs one file in every runtime: whether the outputs agree, and how long it takes compared to others."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.errors import ModelError
from edge.inference.interpreter import Interpreter, installed_runtimes, open_interpreter
from edge.types import Gray

_THREADS = (1, 4)
# TensorFlow's own runtime is LiteRT's under another name, and logs at length whenever it is opened.
_LEFT_OUT = "tensorflow"
# Steps between the outputs of two runtimes: each rounds sums in its own way.
_LARGEST_DIFFERENCE = 24
_CALLS = 5  # in a round: long for the clock's resolution, short for other load on the machine


@dataclass(frozen=True)
class RuntimeOutputs:
    """Outputs of a runtime compared with those of the first one.

    Attributes:
        runtime: name of the runtime.
        threads: number of threads.
        same_decision: share of decisions that are equal, 0 to 1: top labels, or what is taken for a face.
        same_bits: share of crops whose outputs are equal in every bit, 0 to 1.
        largest: largest difference of two quantized outputs, in steps of the output's scale.
    """

    runtime: str
    threads: int
    same_decision: float
    same_bits: float
    largest: int


def compare_runtimes(
    content: bytes, crops: Gray, decide: Callable[[npt.NDArray[Any]], npt.NDArray[np.int64]]
) -> tuple[RuntimeOutputs, ...]:
    """Runs a file in every light runtime that is installed, with one thread and with several.

    Args:
        content: an int8 .tflite file with uint8 pixels as input.
        crops: (N, size, size) uint8 crops.
        decide: from (N, ...) integer outputs to what they mean, (N, ...).

    Returns:
        A value for each runtime and number of threads. The first is the one that the others are compared
        with.
    """
    outputs: list[RuntimeOutputs] = []
    first: npt.NDArray[np.int32] | None = None
    for runtime in (name for name in installed_runtimes() if name != _LEFT_OUT):
        for threads in _THREADS:
            codes = _run(open_interpreter(content, threads, runtime), crops)
            first = codes if first is None else first
            outputs.append(
                RuntimeOutputs(
                    runtime,
                    threads,
                    float((decide(codes) == decide(first)).mean()),
                    float((codes == first).reshape(len(crops), -1).all(axis=1).mean()),
                    int(np.abs(codes - first).max()),
                )
            )
    return tuple(outputs)


def check_other_sizes(content: bytes, sizes_hw: Sequence[tuple[int, int]], stride: int) -> None:
    """Checks that a fully convolutional file reads images of other sizes, alike in every runtime.

    Args:
        content: an int8 .tflite file with uint8 pixels as input.
        sizes_hw: heights and widths, multiples of the stride.
        stride: pixels from one cell of the output to the next.

    Raises:
        ModelError: a runtime cannot run it at one of the sizes, returns a map of another size, or another
            map than the first runtime.
    """
    random = np.random.default_rng(0)
    for height, width in sizes_hw:
        image = random.integers(0, 256, (height, width), dtype=np.uint8)
        first: npt.NDArray[np.int32] | None = None
        for runtime in installed_runtimes():
            where = f"{width}x{height} pixels by {runtime}"
            with warnings.catch_warnings():
                # TensorFlow recommends the other runtimes whenever its own is opened.
                warnings.filterwarnings("ignore", ".*use the LiteRT interpreter", UserWarning)
                interpreter = open_interpreter(content, 1, runtime)
            try:
                interpreter.resize_tensor_input(
                    interpreter.get_input_details()[0]["index"], [1, height, width, 1]
                )
                interpreter.allocate_tensors()
                (codes,) = _run(interpreter, image[np.newaxis])
            except (RuntimeError, ValueError) as error:
                raise ModelError(f"it cannot read {where}: {error}") from error
            if codes.shape[:2] != (height // stride, width // stride):
                raise ModelError(
                    f"{where}: {codes.shape[:2]} cells, expected {height // stride, width // stride}"
                )
            first = codes if first is None else first
            if (difference := int(np.abs(codes - first).max())) > _LARGEST_DIFFERENCE:
                raise ModelError(f"{where}: an output differs by {difference} steps from the first runtime's")


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
        f"    {each.runtime}, {each.threads} thread(s): same decision {each.same_decision:.2%}, "
        f"same bits {each.same_bits:.2%}, largest difference {each.largest} steps"
        for each in outputs[1:]
    ]
    return "\n".join(lines)


def _run(interpreter: Interpreter, crops: Gray) -> npt.NDArray[np.int32]:
    """Returns the (N, ...) quantized outputs of (N, size, size) crops."""
    pixels, output = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    rows: list[Any] = []
    for crop in crops:
        interpreter.set_tensor(pixels, crop[np.newaxis, ..., np.newaxis])
        interpreter.invoke()
        rows.append(interpreter.get_tensor(output)[0].astype(np.int32))
    return np.array(rows)


def _seconds(interpreter: Interpreter) -> float:
    started = time.perf_counter()
    for _ in range(_CALLS):
        interpreter.invoke()
    return time.perf_counter() - started
