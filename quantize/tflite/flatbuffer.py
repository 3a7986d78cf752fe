"""Writes a TFLite graph as bytes, every distinct vector once."""

from __future__ import annotations

from typing import Any

import flatbuffers


def pack(model: Any) -> bytes:
    """Returns the content of a .tflite file.

    Equal vectors are stored once: a tensor with a scale for each channel has as many zero points, all of them
    zero, and they would take a seventh of the file.

    Args:
        model: a `ModelT` of TFLite's schema.
    """
    builder = _Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


class _Builder(flatbuffers.Builder):  # type: ignore[misc]
    def __init__(self, size: int) -> None:
        super().__init__(size)
        self._written: dict[tuple[str, bytes], int] = {}

    def CreateNumpyVector(self, x: Any) -> int:  # noqa: N802, the name is the base class's
        key = (x.dtype.str, x.tobytes())
        if key not in self._written:
            self._written[key] = super().CreateNumpyVector(x)
        return self._written[key]
