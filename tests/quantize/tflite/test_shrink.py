"""A smaller file: one bias of zeros for all convolutions of a width, short names, and the same outputs."""

import importlib

import numpy as np
import pytest

pytestmark = pytest.mark.train

from ai_edge_litert import schema_py_generated as schema  # noqa: E402

from quantize.conversion import converter  # noqa: E402
from quantize.tflite.inspect import read_contents  # noqa: E402
from quantize.tflite.shrink import share_zero_biases, shorten_names  # noqa: E402
from tests.support.runtimes import NEEDS_TFLITE  # noqa: E402
from train.models.sepnet import build  # noqa: E402
from train.models.spec import NetSpec, Stage  # noqa: E402

SPEC = NetSpec(stem=4, stages=(Stage(6, 2, 1, repeats=2), Stage(8, 1, repeats=3)), head=4, classes=7, size=16)


@pytest.fixture(scope="module")
def converted():
    """The network as the converter alone writes it, with its own names and biases."""
    random = np.random.default_rng(0)
    model = build(SPEC)
    for weight in model.weights:  # nothing at its initial value: a bias left at zero would be shared, too
        positive = weight.path.endswith(("moving_variance", "gamma"))
        weight.assign(
            random.uniform(0.5, 1.5, weight.shape) if positive else random.normal(0, 0.4, weight.shape)
        )
    calibration = random.integers(0, 256, (30, 16, 16), dtype=np.uint8)
    calibration[:, 0, :2] = 0, 255
    with pytest.MonkeyPatch.context() as patch:
        for step in ("share_zero_biases", "shorten_names"):
            patch.setattr(converter, step, lambda content: content)
        return converter.to_int8(model, calibration)


@pytest.fixture(params=[share_zero_biases, shorten_names], ids=lambda step: step.__name__)
def step(request):
    return request.param


def outputs(module, content):
    images = np.random.default_rng(1).integers(0, 256, (20, 16, 16), dtype=np.uint8)
    interpreter = importlib.import_module(module).Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    (pixels,), (logits,) = interpreter.get_input_details(), interpreter.get_output_details()
    rows = []
    for image in images:
        interpreter.set_tensor(pixels["index"], image[np.newaxis, ..., np.newaxis])
        interpreter.invoke()
        rows.append(interpreter.get_tensor(logits["index"])[0].copy())
    return np.array(rows)


def names(content):
    """(whether an operator computes it, name) of every tensor."""
    (graph,) = schema.ModelT.InitFromPackedBuf(content, 0).subgraphs
    computed = {int(index) for operator in graph.operators for index in operator.outputs}
    return [(index in computed, tensor.name.decode()) for index, tensor in enumerate(graph.tensors)]


@pytest.mark.parametrize(
    "module",
    ["ai_edge_litert.interpreter", pytest.param("tflite_runtime.interpreter", marks=NEEDS_TFLITE)],
)
def test_outputs_are_the_same_in_both_runtimes(converted, step, module):
    before, after = outputs(module, converted), outputs(module, step(converted))
    assert len({tuple(row) for row in before.tolist()}) > 10  # they do depend on the image
    np.testing.assert_array_equal(before, after)


def test_the_file_is_smaller(converted, step):
    assert len(step(converted)) < len(converted) - 500


def test_a_second_time_changes_nothing(converted, step):
    once = step(converted)
    assert step(once) == once


def test_shared_biases_leave_the_parameters_that_the_spec_promises(converted):
    before, after = map(read_contents, (converted, share_zero_biases(converted)))
    assert after.parameters == SPEC.stored_parameters() < before.parameters
    assert after.operators == before.operators
    assert after.float_tensors == ()


def test_a_computed_tensor_is_named_after_its_layer_and_constants_have_no_name(converted):
    named = names(shorten_names(converted))
    computed = [name for is_computed, name in named if is_computed]
    assert "stage0_block0_relu" in " ".join(computed), computed
    assert len(set(computed)) == len(computed)
    assert max(map(len, computed)) < 40
    assert {name for is_computed, name in named if not is_computed} == {"", "pixels"}
