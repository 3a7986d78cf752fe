"""`inspect`: prints what a .tflite file contains."""

from __future__ import annotations

import argparse

from edge.errors import ModelError
from quantize.tflite.inspect import read_contents


def run(arguments: argparse.Namespace) -> None:
    """Prints size, parameters, types and operators of the file."""
    try:
        contents = read_contents(arguments.file.read_bytes())
    except OSError as error:
        raise ModelError(f"{arguments.file}: {error.strerror}") from error
    except ModelError as error:
        raise ModelError(f"{arguments.file}: {error}") from error
    print(f"{arguments.file}: {contents.size_bytes} bytes, {contents.parameters} parameters as stored")
    print(f"  weights and biases: {contents.weight_bytes} bytes; the rest is the graph and the scales")
    print(f"  tensors quantized per channel: {contents.per_channel}")
    print(f"  float tensors: {', '.join(contents.float_tensors) or 'none'}")
    print("  " + ", ".join(f"{count} {name}" for name, count in contents.operators.items()))
