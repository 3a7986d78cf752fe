"""One bias of zeros where the converter writes many.

TFLite's integer convolutions must have a bias, so the converter gives zeros to each that has none, every time
a layer is applied, each with scales of its own. Zero is zero at any scale: one per length is enough, and on
networks this small the rest is a fifth of the file.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from quantize.tflite.flatbuffer import pack

_CONVOLUTIONS = (schema.BuiltinOperator.CONV_2D, schema.BuiltinOperator.DEPTHWISE_CONV_2D)


def share_zero_biases(content: bytes) -> bytes:
    """The same network with one bias of zeros for all convolutions of that width; its answers are the same.

    Args:
        content: a .tflite file.

    Returns:
        The file's new content.
    """
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    for graph in model.subgraphs:
        _share(model, graph)
    _drop_unused_buffers(model)
    return pack(model)


def _share(model: Any, graph: Any) -> None:
    zeros: dict[tuple[int, ...], int] = {}
    for operator in graph.operators:
        code = model.operatorCodes[operator.opcodeIndex]
        if max(code.builtinCode, code.deprecatedBuiltinCode) not in _CONVOLUTIONS or len(operator.inputs) < 3:
            continue
        bias = graph.tensors[operator.inputs[2]]
        data = model.buffers[bias.buffer].data
        if data is not None and len(data) and not np.any(data):
            pixels, weights, own = map(int, operator.inputs)
            operator.inputs = [pixels, weights, zeros.setdefault(tuple(bias.shape), own)]
    used = {int(place) for place in (*graph.inputs, *graph.outputs)}
    for operator in graph.operators:
        used |= {int(place) for place in (*operator.inputs, *operator.outputs) if place >= 0}
    kept = sorted(used)
    places = {old: new for new, old in enumerate(kept)} | {-1: -1}  # -1 stands for an input left out
    for holder in (graph, *graph.operators):
        holder.inputs = np.array([places[int(place)] for place in holder.inputs], dtype=np.int32)
        holder.outputs = np.array([places[int(place)] for place in holder.outputs], dtype=np.int32)
    for signature in model.signatureDefs or ():
        for tensor in (*signature.inputs, *signature.outputs):
            tensor.tensorIndex = places[int(tensor.tensorIndex)]
    graph.tensors = [graph.tensors[place] for place in kept]


def _drop_unused_buffers(model: Any) -> None:
    holders = [*(tensor for graph in model.subgraphs for tensor in graph.tensors), *(model.metadata or ())]
    kept = sorted({0, *(holder.buffer for holder in holders)})  # buffer 0 stands for no data at all
    places = {old: new for new, old in enumerate(kept)}
    for holder in holders:
        holder.buffer = places[holder.buffer]
    model.buffers = [model.buffers[place] for place in kept]
