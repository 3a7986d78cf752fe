"""The cost of networks against counts by hand, published numbers and a converted file."""

import numpy as np
import pytest

from edge.errors import ConfigError
from train.models.spec import NetSpec
from train.recipes.registry import RECIPES

pytestmark = pytest.mark.train

SPECS = {recipe.name: recipe.spec for recipe in RECIPES.values() if isinstance(recipe.spec, NetSpec)}


def through(shape, *stack):
    """A model that applies layers in turn."""
    import keras

    inputs = x = keras.Input(shape)
    for layer in stack:
        x = layer(x)
    return keras.Model(inputs, x)


def by_hand():
    """Name, input shape, layers, and the multiplications and stored parameters counted by hand."""
    from keras import layers as kl

    same = {"padding": "same"}
    return (
        ("valid", (8, 8, 1), (kl.Conv2D(4, 3),), 6 * 6 * 9 * 4, 9 * 4 + 4),
        ("same", (8, 8, 1), (kl.Conv2D(4, 3, **same),), 8 * 8 * 9 * 4, 9 * 4 + 4),
        ("stride", (7, 9, 2), (kl.Conv2D(4, 3, strides=2, **same),), 4 * 5 * 9 * 2 * 4, 9 * 2 * 4 + 4),
        ("stride, valid", (8, 8, 1), (kl.Conv2D(4, 3, strides=2),), 3 * 3 * 9 * 4, 9 * 4 + 4),
        ("oblong", (8, 8, 2), (kl.Conv2D(3, (1, 5)),), 8 * 4 * 5 * 2 * 3, 5 * 2 * 3 + 3),
        ("dilated", (8, 8, 1), (kl.Conv2D(4, 3, dilation_rate=2),), 4 * 4 * 9 * 4, 9 * 4 + 4),
        ("groups", (8, 8, 4), (kl.Conv2D(6, 3, groups=2),), 6 * 6 * 9 * 2 * 6, 9 * 2 * 6 + 6),
        (
            "channels first",
            (2, 8, 6),
            (kl.Conv2D(5, 3, data_format="channels_first"),),
            6 * 4 * 9 * 2 * 5,
            9 * 2 * 5 + 5,
        ),
        ("depthwise", (8, 8, 3), (kl.DepthwiseConv2D(3, strides=2, **same),), 4 * 4 * 9 * 3, 9 * 3 + 3),
        (
            "multiplier",
            (8, 8, 3),
            (kl.DepthwiseConv2D(3, depth_multiplier=2),),
            6 * 6 * 9 * 3 * 2,
            9 * 3 * 2 + 6,
        ),
        (
            "separable",
            (8, 8, 4),
            (kl.SeparableConv2D(6, 3, strides=2, depth_multiplier=2, **same),),
            4 * 4 * (9 * 4 * 2 + 8 * 6),
            (9 * 4 * 2 + 8) + (8 * 6 + 6),
        ),
        ("dense", (10,), (kl.Dense(3),), 10 * 3, 10 * 3 + 3),
        ("dense without bias", (10,), (kl.Dense(3, use_bias=False),), 10 * 3, 10 * 3),
        ("dense on maps", (2, 3, 4), (kl.Dense(5),), 2 * 3 * 4 * 5, 4 * 5 + 5),
        ("no bias", (8, 8, 1), (kl.Conv2D(4, 3, use_bias=False),), 6 * 6 * 9 * 4, 9 * 4 + 4),
        (
            "one bias of zeros per length",
            (8, 8, 4),
            (kl.Conv2D(4, 1, use_bias=False), kl.DepthwiseConv2D(3, use_bias=False)),
            8 * 8 * 16 + 6 * 6 * 36,
            16 + 36 + 4,
        ),
        (
            "folded",
            (8, 8, 1),
            (kl.Conv2D(4, 3, use_bias=False), kl.BatchNormalization()),
            6 * 6 * 9 * 4,
            9 * 4 + 4,
        ),
        ("folded into a bias", (8, 8, 1), (kl.Conv2D(4, 3), kl.BatchNormalization()), 1296, 9 * 4 + 4),
        (
            "folded through dropout",
            (8, 8, 1),
            (kl.Conv2D(4, 3), kl.Dropout(0.5), kl.BatchNormalization()),
            1296,
            9 * 4 + 4,
        ),
        (
            "not folded through ReLU",
            (8, 8, 1),
            (kl.Conv2D(4, 3, activation="relu"), kl.BatchNormalization()),
            1296,
            9 * 4 + 4 + 2 * 4,
        ),
        (
            "not folded behind pooling",
            (8, 8, 1),
            (kl.Conv2D(4, 3), kl.MaxPooling2D(), kl.BatchNormalization(scale=False)),
            1296,
            9 * 4 + 4 + 2 * 4,
        ),
        (
            "separable, folded",
            (8, 8, 4),
            (kl.SeparableConv2D(6, 3, use_bias=False), kl.BatchNormalization()),
            6 * 6 * (36 + 24),
            (36 + 4) + (24 + 6),
        ),
        ("other weights", (4, 4, 3), (kl.PReLU(shared_axes=[1, 2]),), 0, 3),
        ("none", (8, 8, 1), (kl.ReLU(), kl.AveragePooling2D(2), kl.Flatten(), kl.Dropout(0.1)), 0, 0),
    )


def test_layers_cost_what_is_counted_by_hand():
    from train.models.complexity import folded_parameters, multiply_accumulates

    for name, shape, stack, multiplications, stored in by_hand():
        model = through(shape, *stack)
        assert (name, multiply_accumulates(model)) == (name, multiplications)
        assert (name, folded_parameters(model)) == (name, stored)


def shared_in_a_model():
    """A nested model that applies a convolution without bias three times, twice before a BatchNorm."""
    import keras
    from keras import layers as kl

    conv = kl.Conv2D(4, 3, padding="same", use_bias=False, name="conv")
    inner = keras.Input((8, 8, 4))
    x = conv(kl.BatchNormalization(name="first")(conv(inner)))
    block = keras.Model(inner, kl.BatchNormalization(name="second")(conv(x)), name="block")
    outer = keras.Input((8, 8, 1))
    return keras.Model(
        outer, kl.Flatten(name="flat")(block(kl.Conv2D(4, 1, name="stem")(outer))), name="whole"
    )


def test_every_application_of_a_nested_layer_is_listed_in_order():
    from train.models.complexity import LayerCost, layer_costs, multiply_accumulates

    model = shared_in_a_model()
    assert layer_costs(model) == (
        LayerCost("stem", "Conv2D", (8, 8, 4), 8, 64 * 4),
        LayerCost("block/conv", "Conv2D", (8, 8, 4), 144, 64 * 144),
        LayerCost("block/first", "BatchNormalization", (8, 8, 4), 16, 0),
        LayerCost("block/conv", "Conv2D", (8, 8, 4), 0, 64 * 144),
        LayerCost("block/conv", "Conv2D", (8, 8, 4), 0, 64 * 144),
        LayerCost("block/second", "BatchNormalization", (8, 8, 4), 16, 0),
        LayerCost("flat", "Flatten", (256,), 0, 0),
    )
    assert multiply_accumulates(model) == 64 * 4 + 3 * 64 * 144
    assert sum(row.parameters for row in layer_costs(model)) == model.count_params()


def test_a_nested_model_applied_twice_multiplies_twice_and_is_stored_once():
    import keras
    from keras import layers as kl

    from train.models.complexity import folded_parameters, multiply_accumulates

    block = keras.Sequential([keras.Input((6, 6, 2)), kl.Conv2D(2, 3, padding="same"), kl.ReLU()])
    inputs = keras.Input((6, 6, 2))
    model = keras.Model(inputs, block(block(inputs)) + inputs)  # an operation that is not a layer
    assert multiply_accumulates(block) == 36 * 36
    assert multiply_accumulates(model) == 2 * 36 * 36
    assert folded_parameters(model) == folded_parameters(block) == 38


def test_a_convolution_is_stored_once_per_folded_norm_and_once_without():
    from train.models.complexity import folded_parameters

    # 3 x 144 weights, two biases from BatchNorm and one of zeros, and the stem's 4 + 4.
    assert folded_parameters(shared_in_a_model()) == 3 * 144 + 3 * 4 + 8


def test_a_norm_is_not_folded_if_something_else_reads_the_convolution():
    import keras
    from keras import layers as kl

    from train.models.complexity import folded_parameters

    inputs = keras.Input((8, 8, 1))
    x = kl.Conv2D(4, 3, use_bias=False)(inputs)
    norm = kl.BatchNormalization()(x)
    assert folded_parameters(keras.Model(inputs, kl.Add()([x, norm]))) == 36 + 4 + 8
    assert folded_parameters(keras.Model(inputs, [x, norm])) == 36 + 4 + 8
    assert folded_parameters(keras.Model(inputs, norm)) == 36 + 4


@pytest.mark.parametrize("network", ["shared", "gender_small"])
def test_the_converted_file_has_as_many_parameters(network):
    import keras

    from quantize.conversion.converter import to_int8
    from quantize.tflite.inspect import read_contents
    from train.models.baselines import build_reference
    from train.models.complexity import folded_parameters

    if network == "shared":
        body = shared_in_a_model()
        body.name = "body"
    else:
        whole = build_reference(network, 32, 2, pretrained=False)
        # Without the average at its end, whose axes would be a constant in the file too.
        body = keras.Model(whole.input, whole.get_layer("class_maps").output, name="body")
    size = body.input_shape[1]
    random = np.random.default_rng(0)
    for weight in body.weights:
        if len(weight.shape) == 1:  # biases and BatchNorm, so that no folded bias has zeros
            weight.assign(random.uniform(0.5, 1, weight.shape))
    pixels = keras.Input((size, size, 1))
    model = keras.Model(pixels, body(keras.layers.Rescaling(1 / 128, -1.0, name="scale")(pixels)))
    calibration = random.integers(0, 256, (4, size, size), dtype=np.uint8)
    calibration[0, 0, :2] = 0, 255
    assert read_contents(to_int8(model, calibration)).parameters == folded_parameters(body)


@pytest.mark.parametrize("name", SPECS)
def test_a_spec_stores_what_its_network_stores(name):
    from train.models.complexity import folded_parameters
    from train.models.sepnet import build

    spec = SPECS[name]
    # The bias of the last layer before the logits becomes part of theirs; its zeros may be shared with others
    # of their length, as those of a head's rows.
    widths = {spec.stem, *(stage.channels for stage in spec.stages)}
    moved = spec.head if spec.separable_head or spec.head in widths else 0
    assert folded_parameters(build(spec)) - moved == spec.stored_parameters()


def test_published_networks_cost_what_is_published():
    import keras

    from train.models.complexity import multiply_accumulates

    # Howard et al. 2017 (arXiv:1704.04861), table 4: 569 million.
    mobilenet = keras.applications.MobileNet(weights=None)
    assert round(multiply_accumulates(mobilenet) / 1e6) == 569
    # Simonyan and Zisserman 2014, configuration D: 9 x in x out x positions per layer.
    vgg16 = keras.applications.VGG16(weights=None, include_top=False, input_shape=(224, 224, 3))
    widths = (3, 64, 64, 128, 128, *[256] * 3, *[512] * 6)
    sides = (*[224] * 2, *[112] * 2, *[56] * 3, *[28] * 3, *[14] * 3)
    by_layer = [9 * a * b * side**2 for a, b, side in zip(widths[:-1], widths[1:], sides, strict=True)]
    assert multiply_accumulates(vgg16) == sum(by_layer) == 15_346_630_656


def test_models_that_cannot_be_counted_are_refused():
    import keras
    from keras import layers as kl

    from train.models.complexity import folded_parameters, layer_costs, multiply_accumulates

    class Subclassed(keras.Model):  # type: ignore[misc]
        def call(self, inputs):
            return inputs

    with pytest.raises(ConfigError, match="own: expected a functional model, or a sequential one"):
        multiply_accumulates(Subclassed(name="own"))
    with pytest.raises(ConfigError, match="unbuilt: expected a functional model"):
        folded_parameters(keras.Sequential([kl.Dense(2)], name="unbuilt"))
    inputs = keras.Input((None, None, 1))
    with pytest.raises(ConfigError, match=r"wide: its output \(None, None, 4\) is not fixed"):
        layer_costs(keras.Model(inputs, kl.Conv2D(4, 3, name="wide")(inputs)))


def test_a_norm_that_is_folded_in_one_application_still_counts_in_another():
    import keras

    from train.models.complexity import folded_parameters

    counts = []
    for convolution_last in (True, False):
        inputs = keras.Input((8, 8, 3))
        norm, convolution = keras.layers.BatchNormalization(), keras.layers.Conv2D(3, 1, use_bias=False)
        x = norm(inputs)
        x = norm(convolution(x)) if convolution_last else convolution(x)
        counts.append(folded_parameters(keras.Model(inputs, x)))
    # A factor and a summand for each of three channels, nine weights, and three biases, folded or zeros.
    assert counts == [6 + 9 + 3, 6 + 9 + 3]
