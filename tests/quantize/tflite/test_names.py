"""Names in a file are short, and nothing else of it changes."""

import numpy as np
import pytest

pytestmark = pytest.mark.train

from ai_edge_litert import schema_py_generated as schema  # noqa: E402

from edge.inference.interpreter import open_interpreter  # noqa: E402
from quantize.conversion import converter  # noqa: E402
from quantize.tflite.names import shorten_names  # noqa: E402
from train.models.sepnet import build  # noqa: E402
from train.models.spec import NetSpec, Stage  # noqa: E402


@pytest.fixture(scope="module")
def long_and_short():
    model = build(NetSpec(stem=6, stages=(Stage(8, 2, 1, repeats=2),), head=4, classes=5, size=16))
    faces = np.random.default_rng(0).integers(0, 256, (20, 16, 16), dtype=np.uint8)
    faces[0, 0, :2] = 0, 255
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(converter, "shorten_names", lambda content: content)
        content = converter.to_int8(model, faces)
    return content, shorten_names(content), faces


def names(content):
    (graph,) = schema.ModelT.InitFromPackedBuf(content, 0).subgraphs
    made = {int(place) for operator in graph.operators for place in operator.outputs}
    return [(place in made, tensor.name.decode()) for place, tensor in enumerate(graph.tensors)]


def test_a_tensor_is_called_after_its_layer_and_only_once(long_and_short):
    _, short, _ = long_and_short
    made = [name for made, name in names(short) if made]
    assert "stage0_block1_relu_1" in made
    assert len(set(made)) == len(made)
    assert max(map(len, made)) < 40
    assert {name for made, name in names(short) if not made} == {"", "pixels"}


def test_the_file_is_smaller_and_answers_bit_by_bit_the_same(long_and_short):
    long, short, faces = long_and_short
    assert len(short) < len(long) - 500
    answers = []
    for content in (long, short):
        interpreter = open_interpreter(content)
        (pixels,), (logits,) = interpreter.get_input_details(), interpreter.get_output_details()
        for face in faces:
            interpreter.set_tensor(pixels["index"], face[np.newaxis, ..., np.newaxis])
            interpreter.invoke()
            answers.append(interpreter.get_tensor(logits["index"])[0])
    half = len(faces)
    np.testing.assert_array_equal(answers[:half], answers[half:])
