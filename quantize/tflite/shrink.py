"""Makes a .tflite file smaller without changing what it computes: shared biases of zeros, short names.

TFLite's integer convolutions must have a bias, so the converter adds zeros to each convolution that has none,
anew for every application of a layer, each with its own scales. Zero is zero at any scale: one bias for each
length is enough, and on networks this small the rest is a fifth of the file. The names that the converter
gives to tensors are another tenth.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from quantize.tflite.flatbuffer import pack

_CONVOLUTIONS = (schema.BuiltinOperator.CONV_2D, schema.BuiltinOperator.DEPTHWISE_CONV_2D)


def share_zero_biases(content: bytes) -> bytes:
    """Replaces all biases of zeros of one length by a single one.

    Args:
        content: a .tflite file.

    Returns:
        The new content of the file. Its outputs are the same.
    """
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    for graph in model.subgraphs:
        _share_zeros(model, graph)
        _drop_unused_tensors(model, graph)
    _drop_unused_buffers(model)
    return pack(model)


def shorten_names(content: bytes) -> bytes:
    """Names every computed tensor after the layer that made it, and removes the names of constants.

    "body_1/stem_relu_1/Relu;body_1/stem_1/convolution" becomes "stem_relu_1". Inputs and outputs keep their
    names.

    Args:
        content: a .tflite file.

    Returns:
        The new content of the file. Its outputs are the same.
    """
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    for graph in model.subgraphs:
        ends = {int(index) for index in (*graph.inputs, *graph.outputs)}
        computed = {int(index) for operator in graph.operators for index in operator.outputs}
        for index, tensor in enumerate(graph.tensors):
            if index not in ends:
                tensor.name = _short(tensor.name.decode()).encode() if index in computed else b""
    return pack(model)


def _short(name: str) -> str:
    parts = name.split(";", maxsplit=1)[0].split("/")
    return "/".join(parts[1:-1]) or name


def _share_zeros(model: Any, graph: Any) -> None:
    shared: dict[tuple[int, ...], int] = {}
    for operator in graph.operators:
        code = model.operatorCodes[operator.opcodeIndex]
        if max(code.builtinCode, code.deprecatedBuiltinCode) not in _CONVOLUTIONS or len(operator.inputs) < 3:
            continue
        bias = graph.tensors[operator.inputs[2]]
        data = model.buffers[bias.buffer].data
        if data is not None and len(data) and not np.any(data):
            pixels, weights, own = map(int, operator.inputs)
            operator.inputs = [pixels, weights, shared.setdefault(tuple(bias.shape), own)]


def _drop_unused_tensors(model: Any, graph: Any) -> None:
    used = {int(index) for index in (*graph.inputs, *graph.outputs)}
    for operator in graph.operators:
        used |= {int(index) for index in (*operator.inputs, *operator.outputs) if index >= 0}
    kept = sorted(used)
    new_index = {old: new for new, old in enumerate(kept)} | {-1: -1}  # -1 stands for an input left out
    for holder in (graph, *graph.operators):
        holder.inputs = np.array([new_index[int(index)] for index in holder.inputs], dtype=np.int32)
        holder.outputs = np.array([new_index[int(index)] for index in holder.outputs], dtype=np.int32)
    for signature in model.signatureDefs or ():
        for tensor in (*signature.inputs, *signature.outputs):
            tensor.tensorIndex = new_index[int(tensor.tensorIndex)]
    graph.tensors = [graph.tensors[index] for index in kept]


def _drop_unused_buffers(model: Any) -> None:
    holders = [*(tensor for graph in model.subgraphs for tensor in graph.tensors), *(model.metadata or ())]
    kept = sorted({0, *(holder.buffer for holder in holders)})  # buffer 0 stands for no data at all
    new_index = {old: new for new, old in enumerate(kept)}
    for holder in holders:
        holder.buffer = new_index[holder.buffer]
    model.buffers = [model.buffers[index] for index in kept]
