"""Imports imgaug's augmenters, with numpy 2 as well as with numpy 1; no other module imports imgaug."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["iaa"]

_numpy: Any = np
# imgaug 0.4.0, the last release, looks up this table while it is imported. Numpy 2 has dropped it.
_TABLE = {
    "int": [np.int8, np.int16, np.int32, np.int64],
    "uint": [np.uint8, np.uint16, np.uint32, np.uint64],
    "float": [np.float16, np.float32, np.float64, np.longdouble],
}
_missing = not hasattr(_numpy, "sctypes")
if _missing:
    _numpy.sctypes = _TABLE
import imgaug.augmenters as iaa  # noqa: E402

if _missing:
    # Other packages tell the versions of numpy apart by such names.
    del _numpy.sctypes
