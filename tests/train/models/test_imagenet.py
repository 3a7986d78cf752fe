"""Backbones from keras.applications: their input, and where their ImageNet weights come from."""

import socket

import numpy as np
import pytest

from edge.errors import DataError

pytestmark = pytest.mark.train

BACKBONES = ("mobilenet", "vgg16", "inception_v3")
WEIGHTS = "mobilenet_1_0_224_tf_no_top.h5"


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


@pytest.mark.parametrize("name", BACKBONES)
def test_a_backbone_gets_what_keras_preprocesses(name):
    import keras

    from train.models.baselines import build_reference
    from train.models.imagenet import BACKBONES

    side = BACKBONES[name].side
    body = build_reference(name, side, 2, pretrained=False)
    assert "enlarged" not in {layer.name for layer in body.layers}
    prepared = keras.Model(body.input, body.get_layer("prepared").output)
    gray = pixels(1, side)
    expected = getattr(keras.applications, name).preprocess_input(np.repeat(gray, 3, axis=-1))
    np.testing.assert_allclose(np.asarray(prepared(gray / 128 - 1)), expected, atol=1e-4)


def test_a_small_image_is_enlarged_and_a_large_one_is_not():
    from train.models.baselines import build_reference

    for size, side in ((48, 96), (96, 96), (112, 112)):
        body = build_reference("mobilenet", size, 2, pretrained=False)
        assert body.get_layer("backbone").input_shape == (None, side, side, 3)
        assert ("enlarged" in {layer.name for layer in body.layers}) == (side > size)


@pytest.fixture
def keras_home(tmp_path, monkeypatch):
    """An empty folder for Keras, and no internet: requests go to a port on which nothing listens."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        proxy = f"http://127.0.0.1:{closed.getsockname()[1]}"
    for variable in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(variable, proxy)
    for variable in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("name", BACKBONES)
def test_missing_weights_are_named_with_what_can_be_done(name, keras_home):
    from train.models.baselines import build_reference
    from train.models.imagenet import BACKBONES

    with pytest.raises(DataError) as caught:
        build_reference(name, 48, 7, pretrained=True)
    message = str(caught.value)
    assert message.startswith(
        f"no ImageNet weights for {name}: {BACKBONES[name].weights} could not be fetched"
    )
    assert f"put it into {keras_home / 'models'}, where Keras looks for it" in message
    assert "--random-init" in message
    assert "\n" not in message


def write_weights(path, model):
    """Writes weights in the legacy form of HDF5, in which Keras offers ImageNet's."""
    import h5py
    from keras.src.legacy.saving import legacy_h5_format

    path.parent.mkdir()
    with h5py.File(path, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, model)


def test_weights_in_keras_folder_are_loaded(keras_home):
    import keras

    from train.models.baselines import build_reference

    trained = keras.applications.MobileNet(weights=None, include_top=False, input_shape=(224, 224, 3))
    write_weights(keras_home / "models" / WEIGHTS, trained)
    backbone = build_reference("mobilenet", 48, 7, pretrained=True).get_layer("backbone")
    assert len(backbone.weights) == len(trained.weights) > 0
    for loaded, expected in zip(backbone.get_weights(), trained.get_weights(), strict=True):
        np.testing.assert_array_equal(loaded, expected)


def test_a_file_that_is_truncated_or_of_another_network_is_refused_and_stays(keras_home):
    import keras

    from train.models.baselines import build_reference

    path = keras_home / "models" / WEIGHTS
    write_weights(path, keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]))
    intact = path.read_bytes()
    for content in (intact, intact[:1000], b"<html>not found</html>", b""):
        path.write_bytes(content)
        with pytest.raises(DataError, match=f"{WEIGHTS}: not the ImageNet weights of mobilenet") as caught:
            build_reference("mobilenet", 48, 7, pretrained=True)
        assert "\n" not in str(caught.value)
        assert path.read_bytes() == content
