"""The float networks that `edge bench` compares with are what the command makes."""

import gzip
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

from edge.inference.interpreter import open_interpreter

pytestmark = pytest.mark.train

FOLDER = Path(__file__).parents[2] / "edge" / "bench"


@pytest.fixture(scope="module", params=[7, 2])
def files(request):
    """The content of the shipped file, and of the one that the command makes."""
    import keras

    from quantize.bench_baseline import classic_network

    # Whatever was built in this process before.
    keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(3), keras.layers.Softmax()])
    shipped = (FOLDER / f"mini_xception_{request.param}.tflite.gz").read_bytes()
    return gzip.decompress(shipped), gzip.decompress(classic_network(request.param))


def outputs(content):
    interpreter = open_interpreter(content)
    (pixels,), (scores,) = interpreter.get_input_details(), interpreter.get_output_details()
    rows = []
    for image in np.random.default_rng(0).uniform(-1, 1, (10, *pixels["shape"])).astype(np.float32):
        interpreter.set_tensor(pixels["index"], image)
        interpreter.invoke()
        rows.append(interpreter.get_tensor(scores["index"])[0].copy())
    return np.array(rows)


@pytest.mark.skipif(
    not version("tensorflow").startswith("2.18."),
    reason="the bytes are those of TensorFlow 2.18",
)
def test_the_files_are_what_the_command_writes(files):
    shipped, written = files
    assert shipped == written


def test_they_compute_the_same(files):
    shipped, written = map(outputs, files)
    assert len({tuple(row) for row in shipped.tolist()}) > 5  # they do depend on the image
    np.testing.assert_allclose(shipped, written, atol=1e-6)
