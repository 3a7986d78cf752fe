"""The published networks: their parameters, their output, and what is refused."""

import numpy as np
import pytest

from edge.errors import ConfigError

pytestmark = pytest.mark.train

SMALL = ("mini_xception", "simple_cnn", "gender_small", "two_blocks", "tang", "sequential")
BACKBONES = ("mobilenet", "vgg16", "inception_v3")


@pytest.fixture(autouse=True)
def freed():
    """Frees the memory of networks with up to 57 million parameters."""
    import gc

    import keras

    yield
    keras.backend.clear_session()
    gc.collect()


def pixels(count, size):
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 1)).astype(np.float32)


@pytest.mark.parametrize("classes", [2, 7])
@pytest.mark.parametrize("name", [*SMALL, *BACKBONES])
def test_each_has_finite_logits(name, classes):
    from train.models.baselines import build_reference

    size = 64 if name == "mini_xception" else 48  # as published, or FER-2013's
    body = build_reference(name, size, classes, pretrained=False)
    assert body.name == "body"
    assert body.input_shape == (None, size, size, 1)
    logits = np.asarray(body(pixels(2, size) / 128 - 1))
    assert logits.shape == (2, classes)
    assert logits.dtype == np.float32
    assert np.isfinite(logits).all()
    assert not np.allclose(logits.sum(axis=1), 1, atol=1e-3)  # no softmax
    assert not np.array_equal(logits[0], logits[1])


def test_every_reference_has_a_source_of_one_line():
    from train.models.baselines import REFERENCES

    assert set(REFERENCES) == {*SMALL, *BACKBONES}
    for name, reference in REFERENCES.items():
        assert reference.name == name
        assert reference.source
        assert "\n" not in reference.source


@pytest.mark.parametrize(("name", "rates", "penalties"), [("mini_xception", [], 2), ("tang", [0.7], 0)])
def test_they_are_regularized_as_published(name, rates, penalties):
    from train.models.sepnet import build
    from train.models.spec import ReferenceSpec

    model = build(ReferenceSpec(name, 7), 1 / 128, -1.0, "float32")
    body = model.get_layer("body")
    assert [layer.rate for layer in body.layers if hasattr(layer, "rate")] == rates
    assert len(model.losses) == penalties
    # 0.01 times the squares of the kernels alone.
    kernels = [np.asarray(layer.kernel) for layer in body.layers if type(layer).__name__ == "Conv2D"]
    for kernel, loss in zip(kernels, model.losses, strict=False):
        assert float(loss) == pytest.approx(0.01 * np.square(kernel).sum(), rel=1e-4)


@pytest.mark.parametrize(
    ("name", "size", "parameters"),
    [
        # As their authors count them for seven classes. Global averages make the input's size irrelevant.
        ("mini_xception", 64, 58_423),
        ("mini_xception", 48, 58_423),
        ("simple_cnn", 48, 642_935),
        # By hand: 10 x 32, 9 x 32 x 64 + 64, 9 x 64 x 128 + 128, 9 x 128 x 128 + 128, dense on 4 x 4 x 128.
        ("two_blocks", 48, 320 + 18_496 + 73_856 + 147_584 + 2048 * 1024 + 1024 + 7175),
        # 26 x 64, 25 x 64 x 64 + 64, 16 x 64 x 128 + 128, dense on 12 x 12 x 128.
        ("tang", 48, 1664 + 102_464 + 131_200 + 18_432 * 3072 + 3072 + 3072 * 7 + 7),
        # Dense on 4 x 4 x 128.
        ("sequential", 48, 320 + 18_496 + 73_856 + 147_584 + 2048 * 512 + 512 + 3591),
    ],
)
def test_they_have_as_many_parameters_as_published(name, size, parameters):
    from train.models.baselines import build_reference

    assert build_reference(name, size, 7, pretrained=False).count_params() == parameters


def test_the_small_gender_network_has_about_six_thousand():
    from train.models.baselines import build_reference

    assert 5_500 <= build_reference("gender_small", 48, 2, pretrained=False).count_params() <= 6_500


def test_the_sequential_stack_has_no_regularization():
    from train.models.baselines import build_reference

    kinds = {type(layer).__name__ for layer in build_reference("sequential", 48, 7, False).layers}
    assert kinds == {"InputLayer", "Conv2D", "MaxPooling2D", "Flatten", "Dense"}


@pytest.mark.parametrize("name", ["mini_xception", "mobilenet"])
def test_a_saved_network_computes_the_same(name, tmp_path):
    import keras

    from train.models.baselines import build_reference

    body = build_reference(name, 48, 7, pretrained=False)
    body.save(tmp_path / "body.keras")
    inputs = pixels(2, 48) / 128 - 1
    again = keras.models.load_model(tmp_path / "body.keras")
    np.testing.assert_allclose(np.asarray(again(inputs)), np.asarray(body(inputs)), atol=1e-5)


@pytest.mark.parametrize("name", ["simple_cnn", "mobilenet"])
def test_logits_stay_float32_in_half_precision(name):
    import keras

    from train.models.sepnet import build
    from train.models.spec import ReferenceSpec

    model = build(ReferenceSpec(name, 7), precision="mixed_bfloat16")
    assert keras.backend.standardize_dtype(model.output.dtype) == "float32"
    assert np.isfinite(np.asarray(model(pixels(1, 48)))).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("xception", 48, 7, False), "no reference network 'xception'; expected one of mini_xception, "),
        (("tang", 31, 7, False), "tang for 31 pixels and 7 classes: expected at least 32 and 2"),
        (("tang", 48, 1, False), "tang for 48 pixels and 1 classes: expected at least 32 and 2"),
        (("mini_xception", 48, 7, True), "mini_xception has no ImageNet weights; only mobilenet, vgg16, "),
    ],
)
def test_what_cannot_be_built_is_refused(arguments, message):
    from train.models.baselines import build_reference

    with pytest.raises(ConfigError, match=message):
        build_reference(*arguments)


@pytest.mark.parametrize("name", ["mini_xception", "simple_cnn", "gender_small", "two_blocks", "sequential"])
def test_the_smallest_size_can_be_built(name):
    from train.models.baselines import SMALLEST, build_reference

    assert build_reference(name, SMALLEST, 2, pretrained=False).output_shape == (None, 2)
