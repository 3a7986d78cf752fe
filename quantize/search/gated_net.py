"""The gated network: the blocks of `train.models.sepnet`, with a gate at everything that can be left out."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from quantize.search.structure import GateLayout, StageShape, channel_masks
from train.models.sepnet import OFFSET, SCALE


def build_gated(layout: GateLayout) -> keras.Model:
    """Builds the network of all gates of a widest structure.

    With gates of 0 and 1, it computes what `train.models.sepnet.build` computes for the structure that they
    leave; in between, it mixes both kinds and scales channels. A closed channel is 0 wherever it is read.

    Args:
        layout: the gates.

    Returns:
        A model from [(N, size, size, 1) float32 pixels, 0 to 255; (1, gates) float32, 0 to 1] to (N, classes)
        float32 logits.
    """
    widest = layout.widest
    pixels = keras.Input((widest.size, widest.size, 1), name="pixels")
    gates = keras.Input((layout.size,), name="gates")
    parts = layout.split(gates)
    stem_mask, *masks = channel_masks(parts, widest)
    x = layers.Rescaling(SCALE, OFFSET, name="scale")(pixels)
    x = layers.Conv2D(widest.stem, 5, strides=2, padding="same", use_bias=False, name="stem")(x)
    x = layers.ReLU()(layers.BatchNormalization(name="stem_bn")(x)) * _as_map(stem_mask)
    for number, (stage, mask) in enumerate(zip(widest.stages, masks, strict=True)):
        own = {name: parts[f"stage{number}/{name}"] for name in ("block", "own", "shared")}
        x = _stage(x, stage, f"stage{number}", _as_map(mask), own)
    logits = _head(x, layout, parts)
    return keras.Model([pixels, gates], logits, name="gated")


def _stage(x: Any, stage: StageShape, name: str, mask: Any, parts: dict[str, Any]) -> Any:
    block = layers.ReLU()(_branch(x, stage.channels, stage.stride, f"{name}_block"))
    x = _either(parts["block"][:, 0:1], block, _pooled(x, stage)) * mask
    for number in range(stage.own):
        y = layers.ReLU()(_branch(x, stage.channels, 1, f"{name}_own{number}") * mask + x)
        x = _either(parts["own"][:, number : number + 1], y, x)
    if not stage.shared:
        return x
    depthwise = layers.DepthwiseConv2D(3, padding="same", use_bias=False, name=f"{name}_shared_depthwise")
    pointwise = layers.Conv2D(stage.channels, 1, use_bias=False, name=f"{name}_shared_pointwise")
    for number in range(stage.shared):
        y = layers.ReLU()(layers.BatchNormalization(name=f"{name}_shared_bn{number}")(x)) * mask
        gate = _as_map(parts["shared"][:, number : number + 1])
        x = x + gate * (pointwise(depthwise(y)) * mask)
    return x


def _branch(x: Any, channels: int, stride: int, name: str) -> Any:
    """Applies the convolutions of a separable block and its BatchNorm."""
    x = layers.DepthwiseConv2D(3, strides=stride, padding="same", use_bias=False, name=f"{name}_depthwise")(x)
    x = layers.Conv2D(channels, 1, use_bias=False, name=f"{name}_pointwise")(x)
    return layers.BatchNormalization(name=f"{name}_bn")(x)


def _pooled(x: Any, stage: StageShape) -> Any:
    """Takes maxima and adds channels of zeros."""
    if stage.stride > 1:
        x = layers.MaxPooling2D(stage.stride, padding="same")(x)
    return keras.ops.pad(x, ((0, 0), (0, 0), (0, 0), (0, stage.channels - x.shape[-1])))


def _head(x: Any, layout: GateLayout, parts: dict[str, Any]) -> Any:
    x = layers.Conv2D(layout.widest.head, 1, use_bias=False, name="head")(x)
    mask = _as_map(parts["head"])
    x = layers.ReLU()(layers.BatchNormalization(name="head_bn")(x)) * mask
    side = x.shape[1]
    places = layers.DepthwiseConv2D(side, name="places")(x)
    rows = layers.DepthwiseConv2D((side, 1), use_bias=False, name="rows")(x)
    columns = layers.DepthwiseConv2D((1, side), name="columns")(rows)
    # Masked again: a closed channel must not leave its bias behind.
    x = _either(parts["places"], places, columns) * mask
    return layers.Dense(layout.widest.classes, name="logits")(layers.Flatten()(x))


def _either(gate: Any, first: Any, second: Any) -> Any:
    """Returns the first map where a (batch, 1) gate is 1, the second where it is 0."""
    gate = _as_map(gate)
    return gate * first + (1 - gate) * second


def _as_map(values: Any) -> Any:
    """Returns (batch, channels) as (batch, 1, 1, channels), which multiplies a feature map."""
    return keras.ops.expand_dims(keras.ops.expand_dims(values, 1), 1)
