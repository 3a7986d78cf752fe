"""Walking the layers of a Keras model."""

import pytest

from edge.errors import ConfigError

pytestmark = pytest.mark.train


def test_every_application_is_met_in_order():
    import keras
    from keras import layers

    from train.models.graph import iter_nodes

    inputs = keras.Input((4,))
    shared = layers.Dense(4, name="shared")
    x = shared(inputs)
    y = layers.ReLU(name="relu")(x)
    outputs = layers.Add(name="add")([shared(y), x])
    names = [node.operation.name for node in iter_nodes(keras.Model(inputs, outputs))]
    assert names == ["shared", "relu", "shared", "add"]


def test_a_sequential_model_needs_its_input_shape():
    import keras
    from keras import layers

    from train.models.graph import iter_nodes

    built = keras.Sequential([keras.Input((4,)), layers.Dense(2, name="dense")])
    assert [node.operation.name for node in iter_nodes(built)] == ["dense"]
    with pytest.raises(ConfigError, match="net: expected a functional model, or a sequential one"):
        list(iter_nodes(keras.Sequential([layers.Dense(2)], name="net")))


def test_a_layer_is_linear_without_an_activation():
    from keras import layers

    from train.models.graph import is_linear

    assert is_linear(layers.Dense(2))
    assert is_linear(layers.Conv2D(2, 1, activation="linear"))
    assert not is_linear(layers.Dense(2, activation="relu"))
    assert not is_linear(layers.MaxPooling2D())
