"""Activation ranges that lose least: rare extremes are clipped where finer steps gain more for the rest.

The converter takes the smallest and the largest value that it ever sees. Here both ends of each range are
moved inwards to where the mean squared difference between float and int8 values is least, over the same
images.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from quantize.tflite.flatbuffer import pack
from quantize.tflite.interpreter import open_debug_interpreter

# Operators that compute new values; others only move values, and keep the range of their input.
_COMPUTING = ("CONV_2D", "DEPTHWISE_CONV_2D", "ADD", "MUL")
_SAMPLES = 1000  # values that are sampled from a tensor for each image
_STEPS = 255
_SHARES = np.linspace(0.5, 1.0, 26)  # of an end of the range; values beyond half of it may be what matters
_ROUNDS = 2

Array = npt.NDArray[np.float32]


def clip_ranges(calibrated: bytes, pixels: Array) -> bytes:
    """Narrows the ranges of the tensors that a float file computes.

    Args:
        calibrated: a float .tflite file, with the ranges that the converter measured in its tensors.
        pixels: (N, size, size, 1) scaled pixels.

    Returns:
        The content of the file with other ranges. Those of the input and the output are unchanged.
    """
    model = schema.ModelT.InitFromPackedBuf(calibrated, 0)
    (graph,) = model.subgraphs
    samples = _sample(calibrated, _ranged_tensors(model, graph), pixels)
    for index, values in samples.items():
        range_ = graph.tensors[index].quantization
        low, high = mse_range(values, min(0.0, float(range_.min[0])), max(0.0, float(range_.max[0])))
        range_.min, range_.max = np.array([low], np.float32), np.array([high], np.float32)
    return pack(model)


def mse_range(values: Array, low: float, high: float) -> tuple[float, float]:
    """Returns the ends between which 256 even steps have the least mean squared error.

    Args:
        values: (N,) values of a tensor.
        low: the smallest of them, at most 0.
        high: the largest of them, at least 0.

    Returns:
        Both ends; the range is never wider than the given one, and contains 0.
    """
    ends = [low, high]
    for _ in range(_ROUNDS):
        for side in (0, 1):
            candidates = [
                [share * end if index == side else end for index, end in enumerate(ends)] for share in _SHARES
            ]
            ends = min(candidates, key=lambda pair: _loss(values, *pair))
    return ends[0], ends[1]


def _loss(values: Array, low: float, high: float) -> float:
    if high <= low:
        return float(np.square(values).mean())
    scale = (high - low) / _STEPS
    zero_point = np.round(-low / scale)
    quantized = np.clip(np.round(values / scale) + zero_point, 0, _STEPS)
    return float(np.square((quantized - zero_point) * scale - values).mean())


def _ranged_tensors(model: Any, graph: Any) -> list[int]:
    """Returns the indices of computed tensors that have a range, without the graph's outputs."""
    codes = {getattr(schema.BuiltinOperator, name) for name in _COMPUTING}
    indices = []
    for operator in graph.operators:
        code = model.operatorCodes[operator.opcodeIndex]
        for index in map(int, operator.outputs):
            range_ = graph.tensors[index].quantization
            has_range = range_ is not None and range_.min is not None and len(range_.min) == 1
            if max(code.builtinCode, code.deprecatedBuiltinCode) in codes and has_range:
                indices.append(index)
    outputs = set(map(int, graph.outputs))
    return [index for index in indices if index not in outputs]


def _sample(content: bytes, indices: list[int], pixels: Array) -> dict[int, Array]:
    """Returns {index of the tensor: values that it takes, drawn at random}."""
    interpreter = open_debug_interpreter(content)
    input_index = interpreter.get_input_details()[0]["index"]
    random = np.random.default_rng(0)
    samples: dict[int, list[Array]] = {index: [] for index in indices}
    for image in pixels:
        interpreter.set_tensor(input_index, image[np.newaxis])
        interpreter.invoke()
        for index, collected in samples.items():
            values = interpreter.get_tensor(index).ravel()
            collected.append(random.choice(values, _SAMPLES) if len(values) > _SAMPLES else values)
    return {index: np.concatenate(collected) for index, collected in samples.items()}
