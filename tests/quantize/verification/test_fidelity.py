"""Whether an int8 file does what its float network does, and whether models/ may hold it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge.errors import ModelError
from edge.inference.contract import read_model

pytestmark = pytest.mark.train

from quantize.tflite.inspect import read_contents  # noqa: E402
from quantize.verification.fidelity import (  # noqa: E402
    check_faithful,
    check_file,
    compare_with_float,
    is_faithful,
)

TINY = Path(__file__).parents[2] / "models" / "tiny_emotion.tflite"


def test_comparison_counts_agreement_and_difference(toy):
    rows = toy.take(np.arange(3))
    logits = np.zeros((3, 7), np.float32)
    logits[[0, 1, 2], [0, 1, 3]] = 20
    scores = np.eye(7)[[0, 2, 3]]
    comparison = compare_with_float(rows, "val", logits, scores)
    assert comparison.before.accuracy == pytest.approx(2 / 3)
    assert comparison.after.accuracy == pytest.approx(1 / 3)
    assert comparison.agreement == pytest.approx(2 / 3)
    assert comparison.largest_difference == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"float_tensors": ("a",)}, "float tensors in the file: a"),
        ({"parameters": 10_000}, "10000 parameters, must be fewer than 10000"),
        ({"per_channel": 0}, "no weights are quantized per channel"),
    ],
)
def test_a_file_that_models_may_not_hold_is_refused(change, message):
    contract, content = read_model(TINY)
    contents = read_contents(content)
    check_file(replace(contents, parameters=9_999), contract)
    with pytest.raises(ModelError, match=f"tiny_emotion: {message}"):
        check_file(replace(contents, **change), contract)


@pytest.mark.parametrize(
    ("wrong", "others", "fault"),
    [
        (0, 30, ""),
        (3, 27, ""),
        (4, 0, "int8 reads 79.60% right, float 80.00%; more than 0.3% lost"),
        (0, 31, "int8 and float give 96.90% of the faces the same label; expected at least 97%"),
    ],
)
def test_little_may_be_lost(toy, wrong, others, fault):
    rows = replace(toy.take(np.zeros(1000, dtype=np.int64)), labels=np.zeros(1000, dtype=np.int64))
    logits = np.zeros((1000, 7), np.float32)
    logits[:800, 0] = logits[800:, 1] = 20
    scores = np.eye(7)[np.repeat([0, 1], [800, 200])]
    scores[:wrong] = np.eye(7)[1]
    scores[800 : 800 + others] = np.eye(7)[2]  # wrong before and after
    comparison = compare_with_float(rows, "val", logits, scores)
    assert is_faithful(comparison) == (not fault)
    if fault:
        with pytest.raises(ModelError, match=f"a: {fault}"):
            check_faithful(comparison, "a")


def test_one_image_is_no_loss_of_accuracy_but_counts_for_agreement(toy):
    rows = replace(toy.take(np.zeros(5, dtype=np.int64)), labels=np.zeros(5, dtype=np.int64))
    logits = np.zeros((5, 7), np.float32)
    logits[:, 0] = 20
    comparison = compare_with_float(rows, "val", logits, np.eye(7)[[0, 0, 0, 0, 1]])
    with pytest.raises(ModelError, match=r"a: int8 and float give 80\.00% of the faces the same label"):
        check_faithful(comparison, "a")
