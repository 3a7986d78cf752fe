"""Equal vectors are stored once."""

import numpy as np
import pytest

pytestmark = pytest.mark.train

from ai_edge_litert import schema_py_generated as schema  # noqa: E402

from quantize.conversion.converter import to_int8  # noqa: E402
from quantize.tflite.flatbuffer import pack  # noqa: E402
from train.runs.lookup import load_checkpoint  # noqa: E402


def test_equal_vectors_are_stored_once(run, toy):
    content = to_int8(load_checkpoint(run), toy.images[:70])
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    assert pack(model) == content
    quantizations = [tensor.quantization for tensor in model.subgraphs[0].tensors]
    zero_points = [each.zeroPoint for each in quantizations if each is not None and each.scale is not None]
    # The toy network's stage has 8 channels.
    assert sum(len(each) == 8 for each in zero_points) > 5
    assert content.count(np.zeros(8, np.int64).tobytes()) < 5
