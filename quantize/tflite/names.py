"""Short names for what lies in a file: the converter's own take a tenth of a network this small."""

from __future__ import annotations

from typing import Any

from ai_edge_litert import schema_py_generated as schema

from quantize.tflite.flatbuffer import pack


def shorten_names(content: bytes) -> bytes:
    """The same network with a tensor called after the layer that made it, and constants without a name.

    "body_1/stem_relu_1/Relu;body_1/stem_1/convolution" becomes "stem_relu_1"; inputs and outputs keep theirs.

    Args:
        content: a .tflite file.

    Returns:
        The file's new content; its answers are the same.
    """
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    for graph in model.subgraphs:
        ends = {int(place) for place in (*graph.inputs, *graph.outputs)}
        made = {int(place) for operator in graph.operators for place in operator.outputs}
        for place, tensor in enumerate(graph.tensors):
            if place not in ends:
                tensor.name = _short(tensor.name.decode()).encode() if place in made else b""
    return pack(model)


def _short(name: str) -> str:
    first: Any = name.split(";", maxsplit=1)[0].split("/")
    return "/".join(first[1:-1]) or name
