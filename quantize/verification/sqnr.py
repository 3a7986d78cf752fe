"""Signal-to-quantization-noise ratio of every tensor of an int8 file, which shows a badly quantized layer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from edge.errors import ModelError
from edge.types import Gray
from quantize.tflite.interpreter import open_debug_interpreter

_Details = dict[str, Any]


@dataclass(frozen=True)
class TensorNoise:
    """Difference between a tensor of an int8 file and the same tensor in float.

    Attributes:
        name: name of the tensor in the file.
        shape: shape without the batch.
        decibels: 10 log10 of the signal's power over the power of the difference. At 20 the difference has a
            tenth of the signal's amplitude.
        clipped: share of values at either end of the int8 range, 0 to 1.
    """

    name: str
    shape: tuple[int, ...]
    decibels: float
    clipped: float


def tensor_sqnr(int8_content: bytes, float_content: bytes, crops: Gray) -> tuple[TensorNoise, ...]:
    """Runs both files on the same crops and compares all computed tensors.

    Args:
        int8_content: a full-integer .tflite file.
        float_content: float32 file of the same network, converted the same way, pixels from -1 to 127/128.
        crops: (N, size, size) uint8 crops.

    Returns:
        One value for each tensor that both files have, in the order of computation.

    Raises:
        ModelError: less than half of the tensors are in both files.
    """
    quantized, unquantized = open_debug_interpreter(int8_content), open_debug_interpreter(float_content)
    computed = _computed(int8_content, quantized, np.int8)
    pairs = _pairs(computed, _computed(float_content, unquantized, np.float32))
    if 2 * len(pairs) < len(computed):
        raise ModelError(
            f"the float file is of another network: it has {len(pairs)} of {len(computed)} tensors"
        )
    signal, noise, clipped = (np.zeros(len(pairs)) for _ in range(3))
    for crop in crops:
        _invoke(quantized, crop[np.newaxis, ..., np.newaxis])
        _invoke(unquantized, crop[np.newaxis, ..., np.newaxis].astype(np.float32) / 128 - 1)
        for index, (int8_details, float_details) in enumerate(pairs):
            scale, zero_point = int8_details["quantization"]
            steps = quantized.get_tensor(int8_details["index"])
            values = unquantized.get_tensor(float_details["index"]).astype(np.float64)
            signal[index] += np.square(values).sum()
            noise[index] += np.square((steps.astype(np.int32) - zero_point) * scale - values).sum()
            ends = np.iinfo(steps.dtype)
            clipped[index] += ((steps == ends.min) & (zero_point != ends.min) | (steps == ends.max)).mean()
    ratios = 10 * np.log10(np.maximum(signal, 1e-30) / np.maximum(noise, 1e-30))
    return tuple(
        TensorNoise(
            details["name"], tuple(map(int, details["shape"][1:])), float(ratio), float(share / len(crops))
        )
        for (details, _), ratio, share in zip(pairs, ratios, clipped, strict=True)
    )


def noise_table(rows: Sequence[TensorNoise]) -> str:
    """Returns a line for each tensor, the worst three marked with "!"."""
    worst = sorted(each.decibels for each in rows)[:3][-1]
    return "\n".join(
        f"  {each.decibels:5.1f} dB  {each.clipped:6.2%} clipped  {'!' if each.decibels <= worst else ' '} "
        f"{'x'.join(map(str, each.shape)):12} {each.name}"
        for each in rows
    )


def _pairs(quantized: Sequence[_Details], unquantized: Sequence[_Details]) -> list[tuple[_Details, _Details]]:
    """Pairs tensors of equal name and shape; the output of a layer and its reshape may share a name."""
    unpaired: dict[Any, list[_Details]] = defaultdict(list)
    for details in unquantized:
        unpaired[details["name"], tuple(details["shape"])].append(details)
    pairs = []
    for details in quantized:
        candidates = unpaired[details["name"], tuple(details["shape"])]
        if candidates:
            pairs.append((details, candidates.pop(0)))
    return pairs


def _computed(content: bytes, interpreter: Any, dtype: type[np.generic]) -> list[_Details]:
    """Returns the details of the computed tensors of a type, in the order of computation."""
    details = {each["index"]: each for each in interpreter.get_tensor_details()}
    (graph,) = schema.ModelT.InitFromPackedBuf(content, 0).subgraphs
    for index in map(int, graph.outputs):
        details[index]["name"] = "output"  # the converter names it differently in int8 and in float files
    indices = [int(index) for operator in graph.operators for index in operator.outputs]
    return [details[index] for index in indices if details[index]["dtype"] is dtype]


def _invoke(interpreter: Any, pixels: npt.NDArray[Any]) -> None:
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], pixels)
    interpreter.invoke()
