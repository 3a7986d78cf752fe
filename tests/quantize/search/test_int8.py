"""Every kind of structure that a search may find becomes an int8 file of the parameters that it counts."""

import pytest

pytestmark = pytest.mark.train

from quantize.conversion.converter import to_int8  # noqa: E402
from quantize.search.structure import StageShape, Structure  # noqa: E402
from quantize.tflite.inspect import read_contents  # noqa: E402
from tests.support.random_weights import randomize_weights  # noqa: E402
from train.models.sepnet import build  # noqa: E402

STRUCTURES = {
    "blocks": Structure(4, (StageShape(6, 1, True, 1, 2), StageShape(9, 2, True, 0, 2)), 3, True, 7, 16),
    "pooling": Structure(4, (StageShape(6, 1, False, 1, 2), StageShape(9, 2, False, 2, 3)), 3, False, 7, 16),
    "pooling alone": Structure(
        5, (StageShape(5, 1, False, 0, 1), StageShape(8, 2, False, 0, 0)), 3, True, 7, 16
    ),
}


@pytest.mark.parametrize("name", STRUCTURES)
def test_a_structure_becomes_an_int8_file(name, toy):
    spec = STRUCTURES[name].spec
    contents = read_contents(to_int8(randomize_weights(build(spec)), toy.images[:70]))
    assert contents.float_tensors == ()
    # An operator that adds channels of zeros says how many in 4 x 2 numbers.
    padding = 8 * contents.operators.get("PAD", 0)
    assert contents.parameters == spec.stored_parameters() + padding
