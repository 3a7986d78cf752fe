"""Marks tests of tflite-runtime, which the newer Pythons do not have."""

import sys

import pytest

# Not by whether it can be imported: on an older Python, its absence is a fault.
NEEDS_TFLITE = pytest.mark.skipif(
    sys.version_info >= (3, 12), reason="tflite-runtime has no wheel for Python 3.12 and later"
)
TFLITE = pytest.param("tflite", marks=NEEDS_TFLITE)
