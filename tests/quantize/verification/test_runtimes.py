"""Outputs and latencies are compared with the first."""

from pathlib import Path

import numpy as np
import pytest

from edge.errors import ModelError
from edge.inference.interpreter import installed_runtimes

pytestmark = pytest.mark.train

from quantize.conversion.converter import to_int8  # noqa: E402
from quantize.verification import runtimes  # noqa: E402
from quantize.verification.runtimes import (  # noqa: E402
    check_other_sizes,
    compare_runtimes,
    latency_ratios,
    runtimes_table,
)
from tests.support.random_weights import randomize_weights  # noqa: E402
from train.models.sepnet import build  # noqa: E402
from train.models.spec import ProposalSpec, Stage  # noqa: E402

TINY = Path(__file__).parents[2] / "models" / "tiny_emotion.tflite"
EMOTION = Path(__file__).parents[3] / "models" / "emotion_sepnet_48_int8.tflite"
RUNTIMES = [name for name in installed_runtimes() if name != "tensorflow"]


def test_runtimes_are_compared_with_the_first():
    crops = np.random.default_rng(0).integers(0, 256, (40, 48, 48), dtype=np.uint8)
    outputs = compare_runtimes(TINY.read_bytes(), crops, lambda codes: codes.argmax(axis=1))
    assert [(each.runtime, each.threads) for each in outputs] == [
        (runtime, threads) for runtime in RUNTIMES for threads in (1, 4)
    ]
    assert (outputs[0].same_decision, outputs[0].same_bits, outputs[0].largest) == (1.0, 1.0, 0)
    assert outputs[1].same_bits == 1.0  # the number of threads changes nothing
    assert min(each.same_decision for each in outputs) > 0.9
    lines = runtimes_table(outputs).splitlines()
    assert lines[0] == f"  compared with {RUNTIMES[0]}, with 1 thread(s):"
    assert len(lines) == len(outputs)


def test_latency_is_a_ratio_to_the_first():
    content = TINY.read_bytes()
    ratios = latency_ratios({"one": content, "the same": content}, rounds=5)
    assert list(ratios) == ["one", "the same"]
    assert ratios["one"] == 1.0
    assert ratios["the same"] > 0


def test_a_convolutional_file_reads_other_sizes_and_another_does_not(monkeypatch):
    spec = ProposalSpec(stem=4, stages=(Stage(6, 1), Stage(8, 1)), size=32)
    noise = np.random.default_rng(0).integers(0, 256, (8, 32, 32), dtype=np.uint8)
    content = to_int8(randomize_weights(build(spec)), noise)
    check_other_sizes(content, [(16, 16), (24, 64)], 8)
    with pytest.raises(ModelError, match=r"24x16 pixels by .*: \(2, 3\) cells, expected \(4, 6\)"):
        check_other_sizes(content, [(16, 24)], 4)
    with pytest.raises(ModelError, match=r"64x56 pixels by .*: \(7,\) cells, expected \(7, 8\)"):
        check_other_sizes(EMOTION.read_bytes(), [(56, 64)], 8)
    monkeypatch.setattr(runtimes, "_LARGEST_DIFFERENCE", -1)
    with pytest.raises(ModelError, match="differs by 0 steps"):
        check_other_sizes(content, [(16, 16)], 8)
