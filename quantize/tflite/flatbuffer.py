"""A TFLite graph as bytes, every vector written once."""

from __future__ import annotations

from typing import Any

import flatbuffers


def pack(model: Any) -> bytes:
    """The content of a .tflite file.

    Args:
        model: `ModelT` of TFLite's schema.

    Returns:
        The bytes. Equal vectors share their place: the zero points of a tensor with a scale for each channel
        are zeros throughout, and so many that they would be a seventh of the file.
    """
    builder = _Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


class _Builder(flatbuffers.Builder):  # type: ignore[misc]
    def __init__(self, size: int) -> None:
        super().__init__(size)
        self._written: dict[tuple[str, bytes], int] = {}

    def CreateNumpyVector(self, x: Any) -> int:  # noqa: N802, the base class calls it so
        key = (x.dtype.str, x.tobytes())
        if key not in self._written:
            self._written[key] = super().CreateNumpyVector(x)
        return self._written[key]
