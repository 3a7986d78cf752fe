"""Large networks made for ImageNet, given gray faces and a head of their own."""

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
    """One of `keras.applications`, without its top.

    Attributes:
        application: its class there.
        side: pixels that a smaller picture is enlarged to: the fewest that leave it something to see.
        scale: what a pixel, 0 to 255, is multiplied with before its first layer.
        offset: what is added to each of the three channels then.
        weights: file of its ImageNet weights, as Keras names it.
        md5: of that file; None where Keras has none.
        source: where it comes from.
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
        # Blue, green, red: means over ImageNet. Gray is the same in all three.
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
    """A backbone at random weights with global average pooling, dropout 0.3 and a dense layer.

    Args:
        name: one of BACKBONES.
        size: side of the input in pixels.
        classes: number of labels.

    Returns:
        A model "body" from (N, size, size, 1) float32, `pixel / 128 - 1`, to (N, classes) float32 logits; its
        layer "backbone" is the one from `keras.applications`, and "prepared" gives what that one reads.
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
    """Gives a body's backbone the weights that it has from ImageNet.

    Args:
        body: of `build_on_backbone`.
        name: which backbone.

    Raises:
        DataError: the file is neither where Keras looks nor can it be fetched, or it is damaged.
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
        # What urllib raises Keras turns into a plain Exception; any other class is as it was raised.
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
