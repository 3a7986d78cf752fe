"""Checks that every offset in a TFLite file stays within it.

tflite-runtime follows offsets without a look at the length of the file. With a wrong one it reads whatever
lies behind the file in memory, which differs from process to process: a trial in another one could pass by
luck. LiteRT has such a check of its own. The tables are those of TFLite's schema, `schema.fbs`.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

from edge.errors import ModelError

# {table: {number of a field that is an offset: what it leads to}}: the width in bytes of a vector's elements,
# a table, or a tuple with a table for a vector of tables. Other fields are numbers within the table.
_Field = int | str | tuple[str]
_REFUSED = "refused"
_TABLES: Mapping[str, Mapping[int, _Field]] = {
    "Model": {
        1: ("OperatorCode",),
        2: ("SubGraph",),
        3: 1,
        4: ("Buffer",),
        5: 4,
        6: ("Metadata",),
        7: ("SignatureDef",),
    },
    "OperatorCode": {1: 1},
    "SubGraph": {0: ("Tensor",), 1: 4, 2: 4, 3: ("Operator",), 4: 1},
    "Tensor": {0: 4, 3: 1, 4: "Quantization", 6: _REFUSED, 7: 4, 9: _REFUSED},
    "Quantization": {0: 4, 1: 4, 2: 4, 3: 8, 5: _REFUSED},
    "Buffer": {0: 1},
    "Operator": {1: 4, 2: 4, 4: "Options", 5: 1, 7: 1, 8: 4, 12: _REFUSED},
    "Options": {},
    "Options with a vector": {0: 4},
    "Metadata": {0: 1},
    "SignatureDef": {0: ("TensorMap",), 1: ("TensorMap",), 2: 1, 3: 1},
    "TensorMap": {0: 1},
}
# Types of an operator's options that hold a vector: of reshape and squeeze.
_OPTIONS_TYPE, _OPTIONS = 3, 4
_WITH_VECTOR = (17, 30)


def check_offsets(content: bytes) -> None:
    """Follows all offsets of a TFLite file.

    Raises:
        ModelError: one leads out of the file, or to a part of the format that no int8 network needs: sparse
            or variant tensors, custom quantization, options of StableHLO.
    """
    try:
        _Reader(content).table("Model", struct.unpack_from("<I", content)[0])
    except struct.error as error:
        raise ModelError("an offset in it leads out of the file") from error


class _Reader:
    """Reads a file, and raises struct.error for what lies outside."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._seen: set[tuple[str, int]] = set()  # tables may be shared; each is followed once

    def table(self, name: str, start: int) -> None:
        """Follows the offsets of the table that begins at `start`."""
        if (name, start) in self._seen:
            return
        self._seen.add((name, start))
        fields = self._fields(start)
        kinds = dict(_TABLES[name])
        if name == "Operator" and _OPTIONS_TYPE in fields:
            (options_type,) = self._unpack("B", start + fields[_OPTIONS_TYPE])
            if options_type in _WITH_VECTOR:
                kinds[_OPTIONS] = "Options with a vector"
        for number, kind in kinds.items():
            if number in fields:
                self._follow(kind, start + fields[number])

    def _fields(self, start: int) -> dict[int, int]:
        """Returns {number of a field: its place in the table} of the fields that are there."""
        (distance,) = self._unpack("<i", start)
        size, table_size = self._unpack("<HH", start - distance)
        self._unpack(f"{table_size}x", start)
        places = self._unpack(f"<{max(0, size - 4) // 2}H", start - distance + 4)
        if any(place >= table_size for place in places):
            raise struct.error
        return {number: place for number, place in enumerate(places) if place}

    def _follow(self, kind: _Field, at: int) -> None:
        if kind == _REFUSED:
            raise ModelError("it has parts that no int8 network needs")
        target = at + self._unpack("<I", at)[0]
        if isinstance(kind, str):
            self.table(kind, target)
            return
        (count,) = self._unpack("<I", target)
        first, width = target + 4, 4 if isinstance(kind, tuple) else kind
        if first + count * width > len(self._content):
            raise struct.error
        if isinstance(kind, tuple):
            for place in range(first, first + 4 * count, 4):
                self.table(kind[0], place + self._unpack("<I", place)[0])

    def _unpack(self, form: str, at: int) -> tuple[int, ...]:
        # A negative place would count from the end.
        if at < 0:
            raise struct.error
        return struct.unpack_from(form, self._content, at)
