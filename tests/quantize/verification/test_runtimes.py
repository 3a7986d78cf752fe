"""Outputs and latencies are compared with the first."""

from pathlib import Path

import numpy as np
import pytest

from edge.inference.interpreter import installed_runtimes

pytestmark = pytest.mark.train

from quantize.verification.runtimes import (  # noqa: E402
    compare_runtimes,
    latency_ratios,
    runtimes_table,
)

TINY = Path(__file__).parents[2] / "models" / "tiny_emotion.tflite"
RUNTIMES = [name for name in installed_runtimes() if name != "tensorflow"]


def test_runtimes_are_compared_with_the_first():
    crops = np.random.default_rng(0).integers(0, 256, (40, 48, 48), dtype=np.uint8)
    outputs = compare_runtimes(TINY.read_bytes(), crops)
    assert [(each.runtime, each.threads) for each in outputs] == [
        (runtime, threads) for runtime in RUNTIMES for threads in (1, 4)
    ]
    assert (outputs[0].same_label, outputs[0].same_bits, outputs[0].largest) == (1.0, 1.0, 0)
    assert outputs[1].same_bits == 1.0  # the number of threads changes nothing
    assert min(each.same_label for each in outputs) > 0.9
    lines = runtimes_table(outputs).splitlines()
    assert lines[0] == f"  compared with {RUNTIMES[0]}, with 1 thread(s):"
    assert len(lines) == len(outputs)


def test_latency_is_a_ratio_to_the_first():
    content = TINY.read_bytes()
    ratios = latency_ratios({"one": content, "the same": content}, rounds=5)
    assert list(ratios) == ["one", "the same"]
    assert ratios["one"] == 1.0
    assert ratios["the same"] > 0
