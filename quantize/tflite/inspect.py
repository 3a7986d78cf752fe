"""Reads what a .tflite file contains: stored parameters, types, and where its bytes go."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edge.errors import ModelError
from edge.inference.interpreter import open_interpreter


@dataclass(frozen=True)
class FileContents:
    """Contents of a .tflite file.

    Attributes:
        size_bytes: size of the file.
        parameters: number of weights and biases: elements of all constant tensors but shapes.
        weight_bytes: bytes of the weights and biases.
        float_tensors: names of the tensors of a floating-point type; empty in a full-integer file.
        per_channel: number of tensors with one scale per channel.
        operators: {name of the operator: how often it occurs}.
    """

    size_bytes: int
    parameters: int
    weight_bytes: int
    float_tensors: tuple[str, ...]
    per_channel: int
    operators: dict[str, int]


def read_contents(content: bytes) -> FileContents:
    """Reads a .tflite file tensor by tensor.

    Args:
        content: content of the file.

    Raises:
        ModelError: the content is not that of a .tflite file, or is damaged.
    """
    if content[4:8] != b"TFL3":
        raise ModelError("not a TFLite file (no TFL3 identifier)")
    open_interpreter(content)  # verifies the structure of the file, which the parser below relies on
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    names = {value: name for name, value in vars(schema.TensorType).items() if not name.startswith("_")}
    codes = {value: name for name, value in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
    parameters = weight_bytes = per_channel = 0
    float_tensors: list[str] = []
    operators: Counter[str] = Counter()
    for graph in model.subgraphs:
        shapes = set()
        for operator in graph.operators:
            code = model.operatorCodes[operator.opcodeIndex]
            name = codes[max(code.builtinCode, code.deprecatedBuiltinCode)]
            operators[name] += 1
            if name == "RESHAPE" and len(operator.inputs) > 1:
                shapes.add(int(operator.inputs[1]))
        for index, tensor in enumerate(graph.tensors):
            if "FLOAT" in names[tensor.type]:
                float_tensors.append(tensor.name.decode())
            if tensor.quantization is not None and np.size(tensor.quantization.scale) > 1:
                per_channel += 1
            data = model.buffers[tensor.buffer].data
            if data is not None and len(data) and index not in shapes:
                parameters += int(np.prod(tensor.shape))
                weight_bytes += len(data)
    return FileContents(
        len(content),
        parameters,
        weight_bytes,
        tuple(float_tensors),
        per_channel,
        dict(sorted(operators.items())),
    )
