"""Networks built from a frozen spec of widths, so that a pruned network is a new spec and copied weights.

The shape was chosen by measurement for fewer than 10,000 stored parameters on aligned 48x48 faces: a wide
5x5 stem, depthwise-separable blocks (Howard et al. 2017, arXiv:1704.04861) with residual additions where the
width stays (He et al. 2015, arXiv:1512.03385), and at the end one weight per place and channel instead of an
average over all places, since on an aligned face the place says what it is.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from train.spec import NetSpec


def build(spec: NetSpec) -> keras.Model:
    """A network that takes pixels as they are.

    Returns:
        A model from (N, size, size, 1) in 0 to 255 to (N, classes) logits. Its layer "body" is the network
        proper, on inputs from -1 to 127/128: `pixel / 128 - 1`, which int8 holds without rounding.
    """
    pixels = keras.Input((spec.size, spec.size, 1), name="pixels")
    scaled = layers.Rescaling(1 / 128, -1.0, name="scale")(pixels)
    return keras.Model(pixels, _body(spec)(scaled), name="sepnet")


def _body(spec: NetSpec) -> keras.Model:
    inputs = keras.Input((spec.size, spec.size, 1))
    x = layers.Conv2D(spec.stem, 5, strides=2, padding="same", use_bias=False, name="stem")(inputs)
    x = layers.ReLU()(layers.BatchNormalization(name="stem_bn")(x))
    for number, stage in enumerate(spec.stages):
        for block in range(stage.blocks):
            stride = stage.stride if block == 0 else 1
            x = _separable(x, stage.channels, stride, f"stage{number}_block{block}")
    x = layers.Conv2D(spec.head, 1, use_bias=False, name="head")(x)
    x = layers.ReLU()(layers.BatchNormalization(name="head_bn")(x))
    x = layers.DepthwiseConv2D(spec.final_size, name="places")(x)
    logits = layers.Dense(spec.classes, name="logits")(layers.Flatten()(x))
    return keras.Model(inputs, logits, name="body")


def _separable(x: Any, channels: int, stride: int, name: str) -> Any:
    """Depthwise 3x3, pointwise, BatchNorm, residual where the shape allows. No BatchNorm in between.

    A second BatchNorm brought no accuracy and a third more training time.
    """
    shortcut = x if stride == 1 and x.shape[-1] == channels else None
    x = layers.DepthwiseConv2D(3, strides=stride, padding="same", use_bias=False, name=f"{name}_depthwise")(x)
    x = layers.Conv2D(channels, 1, use_bias=False, name=f"{name}_pointwise")(x)
    x = layers.BatchNormalization(name=f"{name}_bn")(x)
    if shortcut is not None:
        x = layers.Add(name=f"{name}_add")([x, shortcut])
    return layers.ReLU(name=f"{name}_relu")(x)
