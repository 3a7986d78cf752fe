"""Builds networks on backbones that were trained on ImageNet, with gray input and a new head."""

from __future__ import annotations

import os
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

import keras
from keras import layers

from edge.errors import DataError

_URL = "https://storage.googleapis.com/tensorflow/keras-applications"


@dataclass(frozen=True)
class Backbone:
    """A network of `keras.applications` without its classification layers.

    Attributes:
        application: name of its function in `keras.applications`.
        side: side in pixels to which smaller images are enlarged, so that its strides leave enough of them.
        scale: factor for pixels from 0 to 255 before the first layer.
        offset: summand for each of the three channels after scaling.
        weights: name of the file of its ImageNet weights, as Keras names it.
        md5: checksum of that file; None where Keras has none.
        source: publication and origin.
    """

    application: str
    side: int
    scale: float
    offset: tuple[float, float, float]
    weights: str
    md5: str | None
    source: str


BACKBONES: dict[str, Backbone] = {
    "mobilenet": Backbone(
        "MobileNet",
        96,
        1 / 127.5,
        (-1.0, -1.0, -1.0),
        "mobilenet_1_0_224_tf_no_top.h5",
        None,
        "Howard et al. 2017 (arXiv:1704.04861), keras.applications",
    ),
    "vgg16": Backbone(
        "VGG16",
        48,
        1.0,
        # Minus ImageNet's means of blue, green and red, the order that the network was trained with.
        (-103.939, -116.779, -123.68),
        "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "6d6bbae143d832006294945121d1f1fc",
        "Simonyan and Zisserman 2014 (arXiv:1409.1556), keras.applications",
    ),
    "inception_v3": Backbone(
        "InceptionV3",
        96,
        1 / 127.5,
        (-1.0, -1.0, -1.0),
        "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "bcbd6486424b2319ff4ef7d526e38f63",
        "Szegedy et al. 2015 (arXiv:1512.00567), keras.applications",
    ),
}


def build_on_backbone(name: str, size: int, classes: int) -> keras.Model:
    """Builds a backbone with random weights, global average pooling, dropout of 0.3 and a dense layer.

    Args:
        name: one of BACKBONES.
        size: side of the input in pixels.
        classes: number of labels.

    Returns:
        A model "body" from (N, size, size, 1) float32, `pixel / 128 - 1`, to (N, classes) float32 logits. Its
        layer "backbone" is the network from `keras.applications`, "prepared" returns that network's input.
    """
    backbone = BACKBONES[name]
    side = max(size, backbone.side)
    inputs = x = keras.Input((size, size, 1))
    if side > size:
        x = layers.Resizing(side, side, interpolation="bilinear", name="enlarged")(x)
    x = layers.Concatenate(name="channels")([x, x, x])
    offset = [value + 128 * backbone.scale for value in backbone.offset]
    x = layers.Rescaling(128 * backbone.scale, offset, name="prepared")(x)
    application = getattr(keras.applications, backbone.application)
    x = application(include_top=False, weights=None, input_shape=(side, side, 3), name="backbone")(x)
    x = layers.Dropout(0.3)(layers.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, layers.Dense(classes, dtype="float32", name="logits")(x), name="body")


def load_imagenet(body: keras.Model, name: str) -> None:
    """Loads the weights that a backbone has from ImageNet.

    Args:
        body: a model that `build_on_backbone` returned.
        name: name of its backbone.

    Raises:
        DataError: the file of weights is missing and cannot be downloaded, or it is damaged.
    """
    path = _imagenet_weights(name)
    try:
        body.get_layer("backbone").load_weights(path)
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{path}: not the ImageNet weights of {name} ({_one_line(error)})") from error


def _imagenet_weights(name: str) -> Path:
    backbone = BACKBONES[name]
    home = Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser()
    path = home / "models" / backbone.weights
    if path.exists():  # Keras would delete a file that it cannot replace
        return path
    try:
        fetched = keras.utils.get_file(
            backbone.weights,
            f"{_URL}/{name}/{backbone.weights}",
            cache_dir=str(home),
            cache_subdir="models",
            file_hash=backbone.md5,
        )
    except Exception as error:
        # Keras raises a plain Exception for errors of urllib; all others keep their class.
        if type(error) is not Exception and not isinstance(error, (OSError, HTTPException, ValueError)):
            raise
        raise DataError(
            f"no ImageNet weights for {name}: {backbone.weights} could not be fetched ({_one_line(error)}); "
            f"put it into {path.parent}, where Keras looks for it, or train from random weights by choice "
            "with --random-init"
        ) from error
    return Path(fetched)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
