"""Ranges of activations that lose least: rare extremes are clipped where the rest gains by finer steps.

The converter takes the smallest and the largest value that it ever sees. Here both ends are drawn in to where
the mean squared difference between values and integers is least, over the same calibration pictures.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from quantize.tflite.flatbuffer import pack
from quantize.tflite.interpreter import open_debug_interpreter

# What these make is new; others only move values, and keep the range of what they move.
_COMPUTING = ("CONV_2D", "DEPTHWISE_CONV_2D", "ADD", "MUL")
_SAMPLES = 1000  # values of a tensor that a picture adds
_STEPS = 255
_SHARES = np.linspace(0.5, 1.0, 26)  # of an end of the range; what is rarer than that may be what matters
_ROUNDS = 2

Array = npt.NDArray[np.float32]


def clip_ranges(calibrated: bytes, pixels: Array) -> bytes:
    """Moves the ends of the ranges of what a float network computes.

    Args:
        calibrated: a float .tflite file in whose tensors the converter left the ranges that it saw.
        pixels: (N, size, size, 1) what it reads.

    Returns:
        The file's content with other ranges; the input's and the output's are as they were.
    """
    model = schema.ModelT.InitFromPackedBuf(calibrated, 0)
    (graph,) = model.subgraphs
    computed = _computed(model, graph)
    samples = _sample(calibrated, computed, pixels)
    for place, values in samples.items():
        held = graph.tensors[place].quantization
        low, high = mse_range(values, min(0.0, float(held.min[0])), max(0.0, float(held.max[0])))
        held.min, held.max = np.array([low], np.float32), np.array([high], np.float32)
    return pack(model)


def mse_range(values: Array, low: float, high: float) -> tuple[float, float]:
    """The ends within which 256 steps lie nearest to the values.

    Args:
        values: (N,).
        low: smallest of them, at most 0.
        high: largest of them, at least 0.

    Returns:
        Both ends, the range never wider than the one given, and 0 within it.
    """
    ends = [low, high]
    for _ in range(_ROUNDS):
        for side in (0, 1):
            tried = [
                [share * end if place == side else end for place, end in enumerate(ends)] for share in _SHARES
            ]
            ends = min(tried, key=lambda pair: _loss(values, *pair))
    return ends[0], ends[1]


def _loss(values: Array, low: float, high: float) -> float:
    if high <= low:
        return float(np.square(values).mean())
    scale = (high - low) / _STEPS
    zero = np.round(-low / scale)
    steps = np.clip(np.round(values / scale) + zero, 0, _STEPS)
    return float(np.square((steps - zero) * scale - values).mean())


def _computed(model: Any, graph: Any) -> list[int]:
    """Tensors with a range that operators compute, but for the outputs."""
    codes = {getattr(schema.BuiltinOperator, name) for name in _COMPUTING}
    found = []
    for operator in graph.operators:
        code = model.operatorCodes[operator.opcodeIndex]
        for place in map(int, operator.outputs):
            held = graph.tensors[place].quantization
            ranged = held is not None and held.min is not None and len(held.min) == 1
            if max(code.builtinCode, code.deprecatedBuiltinCode) in codes and ranged:
                found.append(place)
    outputs = set(map(int, graph.outputs))
    return [place for place in found if place not in outputs]


def _sample(content: bytes, places: list[int], pixels: Array) -> dict[int, Array]:
    interpreter = open_debug_interpreter(content)
    given = interpreter.get_input_details()[0]["index"]
    random = np.random.default_rng(0)
    found: dict[int, list[Array]] = {place: [] for place in places}
    for picture in pixels:
        interpreter.set_tensor(given, picture[np.newaxis])
        interpreter.invoke()
        for place, kept in found.items():
            values = interpreter.get_tensor(place).ravel()
            kept.append(random.choice(values, _SAMPLES) if len(values) > _SAMPLES else values)
    return {place: np.concatenate(kept) for place, kept in found.items()}
