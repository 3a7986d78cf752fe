"""What a .tflite file holds: its parameters as stored, its types, where its bytes go."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edge.errors import ModelError
from edge.inference.interpreter import open_interpreter


@dataclass(frozen=True)
class FileContents:
    """A file read tensor by tensor.

    Attributes:
        size_bytes: of the file.
        parameters: elements of all constant tensors but shapes: every weight and every bias.
        weight_bytes: bytes of these.
        float_tensors: names of tensors of a floating-point type; empty in a full-integer file.
        per_channel: number of tensors with one scale per channel.
        operators: how often each operator occurs.
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
        content: the file's bytes.

    Raises:
        ModelError: it is no .tflite file, or damaged.
    """
    if content[4:8] != b"TFL3":
        raise ModelError("not a TFLite file (no TFL3 identifier)")
    open_interpreter(content)  # it verifies the file's structure, which the parser below takes for granted
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
        for place, tensor in enumerate(graph.tensors):
            if "FLOAT" in names[tensor.type]:
                float_tensors.append(tensor.name.decode())
            if tensor.quantization is not None and np.size(tensor.quantization.scale) > 1:
                per_channel += 1
            data = model.buffers[tensor.buffer].data
            if data is not None and len(data) and place not in shapes:
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
