"""An interpreter in which every tensor can be looked at, not only input and output."""

from __future__ import annotations

from typing import Any

from ai_edge_litert.interpreter import Interpreter, OpResolverType


def open_debug_interpreter(content: bytes) -> Any:
    """A .tflite file's interpreter that keeps what lies between the layers.

    Args:
        content: of the file.
    """
    # What lies between is kept only if asked for, and a delegate such as XNNPACK shows none of it.
    interpreter = Interpreter(
        model_content=content,
        num_threads=1,
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    return interpreter
