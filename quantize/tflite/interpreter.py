"""An interpreter whose tensors can all be read, not only input and output."""

from __future__ import annotations

from typing import Any

from ai_edge_litert.interpreter import Interpreter, OpResolverType


def open_debug_interpreter(content: bytes) -> Any:
    """Returns an interpreter that keeps the tensors between the layers.

    Args:
        content: content of a .tflite file.
    """
    # Tensors between the layers are kept only on request, and a delegate such as XNNPACK hides them.
    interpreter = Interpreter(
        model_content=content,
        num_threads=1,
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    return interpreter
