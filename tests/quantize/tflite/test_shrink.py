"""One bias of zeros for all convolutions of a width: a smaller file, the same answers from both runtimes."""

import importlib

import numpy as np
import pytest

pytestmark = pytest.mark.train

from quantize.conversion import converter  # noqa: E402
from quantize.tflite.inspect import read_contents  # noqa: E402
from quantize.tflite.shrink import share_zero_biases  # noqa: E402
from train.models.sepnet import build  # noqa: E402
from train.models.spec import NetSpec, Stage  # noqa: E402

SPEC = NetSpec(stem=4, stages=(Stage(6, 2, 1, repeats=2), Stage(8, 1, repeats=3)), head=4, classes=7, size=16)


@pytest.fixture(scope="module")
def files():
    """The network as it is converted, and as the converter alone would have it."""
    random = np.random.default_rng(0)
    model = build(SPEC)
    for weight in model.weights:  # nothing at its initial value: a zero left would be shared, too
        positive = weight.path.endswith(("moving_variance", "gamma"))
        weight.assign(
            random.uniform(0.5, 1.5, weight.shape) if positive else random.normal(0, 0.4, weight.shape)
        )
    calibration = random.integers(0, 256, (30, 16, 16), dtype=np.uint8)
    calibration[:, 0, :2] = 0, 255
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(converter, "share_zero_biases", lambda content: content)
        before = converter.to_int8(model, calibration)
    return before, share_zero_biases(before)


def answers(module, content, images):
    interpreter = importlib.import_module(module).Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    found = []
    for image in images:
        interpreter.set_tensor(
            interpreter.get_input_details()[0]["index"], image[np.newaxis, ..., np.newaxis]
        )
        interpreter.invoke()
        found.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0].copy())
    return np.array(found)


def test_it_holds_what_the_spec_promises(files):
    before, after = map(read_contents, files)
    assert after.parameters == SPEC.stored_parameters() < before.parameters
    assert after.size_bytes < before.size_bytes
    assert after.operators == before.operators
    assert after.float_tensors == ()


@pytest.mark.parametrize("module", ["ai_edge_litert.interpreter", "tflite_runtime.interpreter"])
def test_both_runtimes_answer_as_before(files, module):
    images = np.random.default_rng(1).integers(0, 256, (20, 16, 16), dtype=np.uint8)
    before, after = (answers(module, content, images) for content in files)
    assert len({tuple(row) for row in before.tolist()}) > 10  # it does look at the picture
    np.testing.assert_array_equal(before, after)


def test_sharing_twice_changes_nothing(files):
    assert share_zero_biases(files[1]) == files[1]
