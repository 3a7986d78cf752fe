"""Gradients of logits against finite differences, and guided gradients against those computed by hand."""

import numpy as np
import pytest

from edge.errors import ConfigError

pytestmark = pytest.mark.train

from train.models.spec import NetSpec, ReferenceSpec, Stage  # noqa: E402

SPEC = NetSpec(stem=6, stages=(Stage(8, 1, 1, repeats=2),), head=4, classes=3, size=16)


@pytest.fixture(scope="module")
def net():
    import keras

    from train.models.sepnet import build

    keras.utils.set_random_seed(5)
    return build(SPEC)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(2).integers(0, 256, (4, 16, 16), dtype=np.uint8)


def test_the_gradient_is_the_effect_of_a_pixel_on_the_logit(net, images):
    import keras

    from train.evaluation.saliency import saliency

    gradients = saliency(net, images, np.array([2, 0, 1, 2]), "gradient")
    assert gradients.shape == images.shape
    body = net.get_layer("body")
    pixels = images[:1, ..., np.newaxis].astype(np.float32) / 128 - 1
    for y, x in ((3, 4), (8, 8), (12, 2)):
        logits = []
        for step in (1e-3, -1e-3):
            moved = pixels.copy()
            moved[0, y, x, 0] += step
            logits.append(keras.ops.convert_to_numpy(body(moved, training=False))[0, 2])
        assert gradients[0, y, x] == pytest.approx((logits[0] - logits[1]) / 2e-3, rel=0.05, abs=2e-4)


def test_guided_gradients_pass_a_relu_only_where_both_are_positive():
    import keras
    from keras import layers

    from train.evaluation.saliency import saliency

    pixels = keras.Input((2, 2, 1))
    inside = keras.Input((2, 2, 1))
    y = layers.ReLU()(inside)
    y = layers.Conv2D(1, 1, use_bias=False, name="turn", activation="relu")(y)
    logits = layers.Dense(2, use_bias=False, name="logits")(layers.Flatten()(y))
    body = keras.Model(inside, logits, name="body")
    model = keras.Model(pixels, body(layers.Rescaling(1 / 128, -1.0, name="scale")(pixels)))
    body.get_layer("turn").set_weights([np.full((1, 1, 1, 1), 2.0)])
    body.get_layer("logits").set_weights([np.array([[1.0, 0], [-1, 0], [3, 0], [5, 0]])])
    image = np.array([[[200, 200], [200, 60]]], dtype=np.uint8)  # the last pixel is dark, so its ReLU is 0
    np.testing.assert_allclose(saliency(model, image, np.array([0]), "gradient"), [[[2, -2], [6, 0]]])
    np.testing.assert_allclose(saliency(model, image, np.array([0]), "guided"), [[[2, 0], [6, 0]]])


def test_the_default_labels_are_the_predicted_ones(net, images):
    from train.evaluation.saliency import saliency

    predicted = net.predict(images[..., np.newaxis], verbose=0).argmax(axis=1)
    np.testing.assert_array_equal(saliency(net, images), saliency(net, images, predicted, "guided"))


def test_guided_gradients_leave_the_network_unchanged(net, images):
    from train.evaluation.saliency import saliency

    before = net.predict(images[..., np.newaxis], verbose=0)
    assert np.abs(saliency(net, images, None, "guided") - saliency(net, images, None, "gradient")).max() > 0
    np.testing.assert_array_equal(net.predict(images[..., np.newaxis], verbose=0), before)


@pytest.mark.parametrize("architecture", ["mini_xception", "sequential"])
def test_published_networks_are_supported(architecture):
    from train.evaluation.saliency import saliency
    from train.models.sepnet import build

    faces = np.random.default_rng(3).integers(0, 256, (2, 48, 48), dtype=np.uint8)
    gradients = saliency(build(ReferenceSpec(architecture, 7)), faces)
    assert np.isfinite(gradients).all()
    assert np.abs(gradients).max() > 0


def test_impossible_arguments_are_refused(net, images):
    from train.evaluation.saliency import saliency

    with pytest.raises(ConfigError, match="no saliency 'smooth'; expected gradient or guided"):
        saliency(net, images, None, "smooth")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="labels 0 to 3; the network has 0 to 2"):
        saliency(net, images, np.array([0, 1, 2, 3]))
