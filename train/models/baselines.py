"""Builds published networks for comparison, as they were published but without the softmax.

The softmax is part of the loss here. Optimizers and images are up to a recipe.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
from keras import layers

from edge.errors import ConfigError
from train.models.imagenet import BACKBONES, build_on_backbone, load_imagenet

# The unpadded convolutions of some networks leave nothing of smaller images.
SMALLEST = 32


@dataclass(frozen=True)
class Reference:
    """A published network.

    Attributes:
        name: its name in this package.
        build: function from the input's side in pixels and the number of classes to the network with random
            weights: a model "body" from (N, size, size, 1) float32, `pixel / 128 - 1`, to (N, classes)
            float32 logits.
        source: publication and origin, which a run's report quotes.
    """

    name: str
    build: Callable[[int, int], keras.Model]
    source: str


def build_reference(name: str, size: int, classes: int, pretrained: bool) -> keras.Model:
    """Builds a published network.

    Args:
        name: one of REFERENCES.
        size: side of the input in pixels, 32 or more.
        classes: number of labels, 2 or more.
        pretrained: whether the backbone starts from ImageNet's weights, which Keras has stored or downloads.

    Returns:
        A model "body" from (N, size, size, 1) float32, `pixel / 128 - 1`, to (N, classes) float32 logits.

    Raises:
        ConfigError: no network has that name, `size` or `classes` is too small, or the network has no
            ImageNet weights.
        DataError: ImageNet's weights cannot be read or downloaded.
    """
    if name not in REFERENCES:
        raise ConfigError(f"no reference network {name!r}; expected one of {', '.join(REFERENCES)}")
    if size < SMALLEST or classes < 2:
        raise ConfigError(
            f"{name} for {size} pixels and {classes} classes: expected at least {SMALLEST} and 2"
        )
    if pretrained and name not in BACKBONES:
        raise ConfigError(f"{name} has no ImageNet weights; only {', '.join(BACKBONES)} have")
    body = REFERENCES[name].build(size, classes)
    if pretrained:
        load_imagenet(body, name)
    return body


def _mini_xception(stem: int, widths: tuple[int, ...], size: int, classes: int) -> keras.Model:
    inputs = keras.Input((size, size, 1))
    # The published code asks for it in separable convolutions too, by an argument that Keras ignored.
    decay = keras.regularizers.L2(0.01)
    x = _normalized(layers.Conv2D(stem, 3, use_bias=False, kernel_regularizer=decay)(inputs))
    x = _normalized(layers.Conv2D(stem, 3, use_bias=False, kernel_regularizer=decay)(x))
    for width in widths:
        shortcut = layers.Conv2D(width, 1, strides=2, padding="same", use_bias=False)(x)
        shortcut = layers.BatchNormalization()(shortcut)
        x = _normalized(layers.SeparableConv2D(width, 3, padding="same", use_bias=False)(x))
        x = layers.SeparableConv2D(width, 3, padding="same", use_bias=False)(x)
        x = layers.MaxPooling2D(3, strides=2, padding="same")(layers.BatchNormalization()(x))
        x = layers.Add()([x, shortcut])
    return _averaged(inputs, x, classes)


def _simple_cnn(size: int, classes: int) -> keras.Model:
    inputs = x = keras.Input((size, size, 1))
    for width, kernel in ((16, 7), (32, 5), (64, 3), (128, 3)):
        # There is no ReLU between the two in the published network either.
        x = layers.BatchNormalization()(layers.Conv2D(width, kernel, padding="same")(x))
        x = _normalized(layers.Conv2D(width, kernel, padding="same")(x))
        x = layers.Dropout(0.5)(layers.AveragePooling2D(2, padding="same")(x))
    x = layers.BatchNormalization()(layers.Conv2D(256, 3, padding="same")(x))
    return _averaged(inputs, x, classes)


def _two_blocks(size: int, classes: int) -> keras.Model:
    inputs = keras.Input((size, size, 1))
    x = _convolved(_convolved(inputs, 32), 64)
    x = layers.Dropout(0.25)(layers.MaxPooling2D()(x))
    x = layers.MaxPooling2D()(_convolved(x, 128))
    x = layers.Dropout(0.25)(layers.MaxPooling2D()(_convolved(x, 128)))
    x = layers.Dense(1024, activation="relu")(layers.Flatten()(x))
    return _dense(inputs, layers.Dropout(0.5)(x), classes)


def _tang(size: int, classes: int) -> keras.Model:
    inputs = x = keras.Input((size, size, 1))
    for _ in range(2):
        x = layers.Conv2D(64, 5, padding="same", activation="relu")(x)
        x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
    x = layers.Conv2D(128, 4, padding="same", activation="relu")(x)
    x = layers.Flatten()(layers.Dropout(0.7)(x))  # tflearn's dropout of 0.3 is the share that is kept
    return _dense(inputs, layers.Dense(3072, activation="relu")(x), classes)


def _sequential(size: int, classes: int) -> keras.Model:
    inputs = keras.Input((size, size, 1))
    x = layers.MaxPooling2D()(_convolved(_convolved(inputs, 32), 64))
    for _ in range(2):
        x = layers.MaxPooling2D()(_convolved(x, 128))
    return _dense(inputs, layers.Dense(512, activation="relu")(layers.Flatten()(x)), classes)


def _normalized(x: Any) -> Any:
    return layers.ReLU()(layers.BatchNormalization()(x))


def _convolved(x: Any, width: int) -> Any:
    return layers.Conv2D(width, 3, activation="relu")(x)


def _averaged(inputs: Any, x: Any, classes: int) -> keras.Model:
    x = layers.Conv2D(classes, 3, padding="same", name="class_maps")(x)
    return keras.Model(inputs, layers.GlobalAveragePooling2D(dtype="float32", name="logits")(x), name="body")


def _dense(inputs: Any, x: Any, classes: int) -> keras.Model:
    return keras.Model(inputs, layers.Dense(classes, dtype="float32", name="logits")(x), name="body")


_ARRIAGA = "Arriaga, Ploeger and Valdenegro 2017 (arXiv:1710.07557), github.com/oarriaga/face_classification"

REFERENCES: dict[str, Reference] = {
    reference.name: reference
    for reference in (
        Reference("mini_xception", partial(_mini_xception, 8, (16, 32, 64, 128)), _ARRIAGA),
        Reference("simple_cnn", _simple_cnn, _ARRIAGA),
        Reference(
            "gender_small",
            partial(_mini_xception, 5, (8, 12, 20, 28)),
            f"the stem of tiny_XCEPTION with narrower modules, after {_ARRIAGA}",
        ),
        Reference(
            "two_blocks", _two_blocks, "the FER-2013 tutorial net, github.com/atulapra/Emotion-detection"
        ),
        Reference(
            "tang",
            _tang,
            "after Tang 2013 (arXiv:1306.0239), as in github.com/isseu/emotion-recognition-neural-networks",
        ),
        Reference("sequential", _sequential, "a stack as in keras.io/guides/sequential_model, no dropout"),
        *(
            Reference(name, partial(build_on_backbone, name), backbone.source)
            for name, backbone in BACKBONES.items()
        ),
    )
}
