"""What a .tflite file contains."""

from pathlib import Path

import pytest

from edge.errors import ModelError

pytestmark = pytest.mark.train

from quantize.tflite.inspect import read_contents  # noqa: E402

TINY = Path(__file__).parents[2] / "models" / "tiny_emotion.tflite"


def test_the_tiny_network_by_hand():
    contents = read_contents(TINY.read_bytes())
    # 5x5 to 4 channels, 3x3 for each of them, a dense layer from 2x2x4 values to 7 logits. Biases are those
    # of the convolutions; the dense layer's are zero, and left out.
    weights, biases = 5 * 5 * 4 + 3 * 3 * 4 + 16 * 7, 4 + 4
    assert contents.parameters == weights + biases
    assert contents.weight_bytes == weights + 4 * biases
    assert contents.size_bytes == TINY.stat().st_size
    assert contents.float_tensors == ()
    assert contents.per_channel >= 2
    assert contents.operators["DEPTHWISE_CONV_2D"] == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "no TFL3 identifier"), (b"\0" * 100, "no TFL3 identifier")],
)
def test_another_file_is_refused(content, message):
    with pytest.raises(ModelError, match=message):
        read_contents(content)


def test_a_truncated_file_is_refused():
    with pytest.raises(ModelError):
        read_contents(TINY.read_bytes()[:500])
