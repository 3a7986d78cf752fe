"""Where integers differ from the floats that they stand for, tensor by tensor: so a bad layer is found."""

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
    """One tensor of the integer file beside its float twin.

    Attributes:
        name: of the operators that made it, as the converter calls them.
        shape: without the batch.
        decibels: 10 log10 of the signal's power over the power of the difference; 20 is a tenth in amplitude.
        clipped: share of its values at either end of the integers' range, 0 to 1.
    """

    name: str
    shape: tuple[int, ...]
    decibels: float
    clipped: float


def tensor_sqnr(integers: bytes, floats: bytes, crops: Gray) -> tuple[TensorNoise, ...]:
    """Runs both files on the same faces and compares all tensors in between.

    Args:
        integers: a full-integer .tflite file.
        floats: the float32 file of the same network, converted the same way, pixels from -1 to 127/128.
        crops: (N, size, size) uint8.

    Returns:
        One for each tensor that both have, in the order of computation.

    Raises:
        ModelError: the files have most tensors not in common.
    """
    one, other = open_debug_interpreter(integers), open_debug_interpreter(floats)
    computed = _computed(integers, one, np.int8)
    pairs = _pairs(computed, _computed(floats, other, np.float32))
    if 2 * len(pairs) < len(computed):
        raise ModelError(
            f"the float file is of another network: it has {len(pairs)} of {len(computed)} tensors"
        )
    signal, noise, clipped = (np.zeros(len(pairs)) for _ in range(3))
    for crop in crops:
        _invoke(one, crop[np.newaxis, ..., np.newaxis])
        _invoke(other, crop[np.newaxis, ..., np.newaxis].astype(np.float32) / 128 - 1)
        for place, (integer, real) in enumerate(pairs):
            scale, zero_point = integer["quantization"]
            held = one.get_tensor(integer["index"])
            values = other.get_tensor(real["index"]).astype(np.float64)
            signal[place] += np.square(values).sum()
            noise[place] += np.square((held.astype(np.int32) - zero_point) * scale - values).sum()
            ends = np.iinfo(held.dtype)
            clipped[place] += ((held == ends.min) & (zero_point != ends.min) | (held == ends.max)).mean()
    ratios = 10 * np.log10(np.maximum(signal, 1e-30) / np.maximum(noise, 1e-30))
    return tuple(
        TensorNoise(
            integer["name"], tuple(map(int, integer["shape"][1:])), float(ratio), float(share / len(crops))
        )
        for (integer, _), ratio, share in zip(pairs, ratios, clipped, strict=True)
    )


def noise_table(rows: Sequence[TensorNoise]) -> str:
    """The tensors as lines to read, the worst three marked."""
    worst = sorted(each.decibels for each in rows)[:3][-1]
    return "\n".join(
        f"  {each.decibels:5.1f} dB  {each.clipped:6.2%} clipped  {'!' if each.decibels <= worst else ' '} "
        f"{'x'.join(map(str, each.shape)):12} {each.name}"
        for each in rows
    )


def _pairs(integers: Sequence[_Details], floats: Sequence[_Details]) -> list[tuple[_Details, _Details]]:
    """Tensors of one name and shape: a layer's own and what merely reshapes it may share the name."""
    waiting: dict[Any, list[_Details]] = defaultdict(list)
    for each in floats:
        waiting[each["name"], tuple(each["shape"])].append(each)
    found = []
    for each in integers:
        twins = waiting[each["name"], tuple(each["shape"])]
        if twins:
            found.append((each, twins.pop(0)))
    return found


def _computed(content: bytes, interpreter: Any, dtype: type[np.generic]) -> list[_Details]:
    """Details of what operators compute in this type, in the order of computation."""
    details = {each["index"]: each for each in interpreter.get_tensor_details()}
    (graph,) = schema.ModelT.InitFromPackedBuf(content, 0).subgraphs
    for place in map(int, graph.outputs):
        details[place]["name"] = "output"  # the converter calls it differently in every kind of file
    places = [int(place) for operator in graph.operators for place in operator.outputs]
    return [details[place] for place in places if details[place]["dtype"] is dtype]


def _invoke(interpreter: Any, pixels: npt.NDArray[Any]) -> None:
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], pixels)
    interpreter.invoke()
