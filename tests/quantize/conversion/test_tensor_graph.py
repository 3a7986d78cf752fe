"""Which tensors share their channels, and which are stored."""

import pytest

pytestmark = pytest.mark.train

import keras  # noqa: E402
from keras import layers  # noqa: E402

from quantize.conversion.tensor_graph import scale_groups  # noqa: E402


@pytest.fixture(scope="module")
def tensors():
    """Tensors of a network by name: two convolutions with a ReLU each, an addition, and one more."""
    pixels = keras.Input((8, 8, 1))
    first = layers.Conv2D(4, 3, padding="same", name="first")(pixels)
    relu = layers.ReLU()(first)
    second = layers.Conv2D(4, 3, padding="same", name="second")(relu)
    relu2 = layers.ReLU()(second)
    added = layers.Add()([first, relu2])
    last = layers.Conv2D(3, 3, name="last")(added)
    return {
        "pixels": pixels,
        "first": first,
        "relu": relu,
        "second": second,
        "relu2": relu2,
        "added": added,
        "last": last,
    }


@pytest.fixture(scope="module")
def groups(tensors):
    return scale_groups(keras.Model(tensors["pixels"], tensors["last"]))


def test_a_tensor_is_not_stored_if_only_a_relu_reads_it(tensors, groups):
    names = {id(tensor): name for name, tensor in tensors.items()}
    assert {names[key] for key in groups.stored()} == {"pixels", "first", "relu", "relu2", "added", "last"}


def test_relus_and_additions_share_channels_and_convolutions_do_not(tensors, groups):
    def group(name):
        return groups.find(id(tensors[name]))

    assert len({group(name) for name in ("first", "relu", "second", "relu2", "added")}) == 1
    assert len({group(name) for name in ("pixels", "first", "last")}) == 3
    assert set(groups.linear) == {"first", "second", "last"}


def test_input_and_output_must_not_be_scaled(tensors, groups):
    fixed = {name for name, tensor in tensors.items() if groups.is_fixed(id(tensor))}
    assert fixed == {"pixels", "last"}


def test_channels_next_to_a_layer_of_unknown_kind_must_not_be_scaled():
    pixels = keras.Input((8, 8, 1))
    first = layers.Conv2D(4, 3)(pixels)
    second = layers.Conv2D(4, 3)(layers.Activation("sigmoid")(first))
    groups = scale_groups(keras.Model(pixels, layers.Conv2D(2, 3)(second)))
    assert groups.is_fixed(id(first))
    assert not groups.is_fixed(id(second))
