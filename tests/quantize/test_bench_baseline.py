"""The float networks that `edge bench` compares with are what the command makes."""

import gzip
from pathlib import Path

import pytest

pytestmark = pytest.mark.train

FOLDER = Path(__file__).parents[2] / "edge" / "bench"


@pytest.mark.parametrize("classes", [7, 2])
def test_the_files_are_what_the_command_writes(classes):
    import keras

    from quantize.bench_baseline import classic_network

    # Whatever was built in this process before.
    keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(3), keras.layers.Softmax()])
    shipped = (FOLDER / f"mini_xception_{classes}.tflite.gz").read_bytes()
    assert gzip.decompress(shipped) == gzip.decompress(classic_network(classes))
