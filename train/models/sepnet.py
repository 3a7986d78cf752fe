"""Builds networks from a frozen spec of widths, so that a pruned network is a new spec and copied weights.

The architecture was chosen by measurement for fewer than 10,000 stored parameters on aligned 48x48 faces: a
wide 5x5 stem, depthwise-separable blocks (Howard et al. 2017, arXiv:1704.04861) with residual additions where
the width stays the same (He et al. 2015, arXiv:1512.03385), blocks that are applied several times with the
same weights, and at the end one weight per position and channel instead of global average pooling, since each
position shows the same part of an aligned face.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from train.models.baselines import build_reference
from train.models.spec import (
    NetSpec,
    ProposalSpec,
    ReferenceSpec,
    Spec,
    Stage,
    TeacherSpec,
)

# The networks' bodies take `pixel / 128 - 1`, which int8 represents without rounding.
SCALE, OFFSET = 1 / 128, -1.0
# Share of the running mean that a batch of BatchNorm keeps: Keras' own, and one that follows changes faster.
_MOMENTUM, _FACE_MOMENTUM = 0.99, 0.97
# The logit of a face with which training of the proposal network starts.
_RARE_FACE = -4.0


def build(
    spec: Spec, scale: float = SCALE, offset: float = OFFSET, precision: str = "float32"
) -> keras.Model:
    """Builds a network that takes unscaled pixels.

    Args:
        spec: the network's spec.
        scale: factor for the pixels.
        offset: summand after scaling.
        precision: Keras' dtype policy, "float32" or "mixed_bfloat16".

    Returns:
        A model from (N, size, size, 1), 0 to 255, to (N, classes) float32 logits or, for a `ProposalSpec`, to
        (N, size / stride, size / stride, channels) float32. Its layer "body" is the network itself, which
        takes `pixel * scale + offset`, by default -1 to 127/128.
    """
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        pixels = keras.Input((spec.size, spec.size, 1), name="pixels")
        scaled = layers.Rescaling(scale, offset, name="scale")(pixels)
        return keras.Model(pixels, _body(spec)(scaled), name=_name(spec))
    finally:
        keras.config.set_dtype_policy(before)


def _name(spec: Spec) -> str:
    return spec.architecture if isinstance(spec, ReferenceSpec) else type(spec).__name__.lower()


def _body(spec: Spec) -> keras.Model:
    if isinstance(spec, ReferenceSpec):
        return build_reference(spec.architecture, spec.size, spec.classes, spec.pretrained)
    if isinstance(spec, ProposalSpec):
        return _proposal(spec)
    return _teacher(spec) if isinstance(spec, TeacherSpec) else _small(spec)


def _small(spec: NetSpec) -> keras.Model:
    inputs = keras.Input((spec.size, spec.size, 1))
    x = _stages(_stem(inputs, spec.stem, 5, _MOMENTUM), spec.stages, _MOMENTUM)
    x = layers.Conv2D(spec.head, 1, use_bias=False, name="head")(x)
    x = layers.ReLU(name="head_relu")(layers.BatchNormalization(name="head_bn", momentum=_MOMENTUM)(x))
    if spec.separable_head:
        x = layers.DepthwiseConv2D((spec.final_size, 1), use_bias=False, name="rows")(x)
        x = layers.DepthwiseConv2D((1, spec.final_size), name="columns")(x)
    else:
        x = layers.DepthwiseConv2D(spec.final_size, name="places")(x)
    logits = layers.Dense(spec.classes, name="logits")(layers.Flatten()(x))
    return keras.Model(inputs, logits, name="body")


def _proposal(spec: ProposalSpec) -> keras.Model:
    inputs = keras.Input((spec.size, spec.size, 1))
    x = _stages(_stem(inputs, spec.stem, 3, _FACE_MOMENTUM), spec.stages, _FACE_MOMENTUM)
    # Nearly every cell holds no face: started at even odds, their loss would drown that of the others (Lin et
    # al. 2017, arXiv:1708.02002).
    rare = keras.initializers.Constant([_RARE_FACE, *[0.0] * (spec.channels - 1)])
    maps = layers.Conv2D(spec.channels, 1, bias_initializer=rare, name="maps")(x)
    return keras.Model(inputs, maps, name="body")


def _stem(inputs: Any, channels: int, kernel: int, momentum: float) -> Any:
    x = layers.Conv2D(channels, kernel, strides=2, padding="same", use_bias=False, name="stem")(inputs)
    return layers.ReLU(name="stem_relu")(layers.BatchNormalization(name="stem_bn", momentum=momentum)(x))


def _stages(x: Any, stages: Sequence[Stage], momentum: float) -> Any:
    for number, stage in enumerate(stages):
        if not stage.blocks:
            x = _widened(x, stage.channels, stage.stride)
        for block in range(stage.blocks):
            stride = stage.stride if block == 0 else 1
            x = _separable(x, stage.channels, stride, f"stage{number}_block{block}", momentum)
        x = _repeated(x, stage.repeats, f"stage{number}_repeated")
    return x


def _separable(x: Any, channels: int, stride: int, name: str, momentum: float) -> Any:
    """Applies depthwise 3x3 and pointwise convolutions, BatchNorm, and a residual where the shape allows.

    A second BatchNorm, between the convolutions, cost a third more training time and brought no accuracy.
    """
    shortcut = x if stride == 1 and x.shape[-1] == channels else None
    x = layers.DepthwiseConv2D(3, strides=stride, padding="same", use_bias=False, name=f"{name}_depthwise")(x)
    x = layers.Conv2D(channels, 1, use_bias=False, name=f"{name}_pointwise")(x)
    x = layers.BatchNormalization(name=f"{name}_bn", momentum=momentum)(x)
    if shortcut is not None:
        x = layers.Add(name=f"{name}_add")([x, shortcut])
    return layers.ReLU(name=f"{name}_relu")(x)


def _widened(x: Any, channels: int, stride: int) -> Any:
    """Takes maxima of `stride` x `stride` pixels and adds channels of zeros: no weights."""
    if stride > 1:
        x = layers.MaxPooling2D(stride, padding="same")(x)
    missing = channels - x.shape[-1]
    return keras.ops.pad(x, ((0, 0), (0, 0), (0, 0), (0, missing))) if missing else x


def _repeated(x: Any, times: int, name: str) -> Any:
    """Applies one residual block several times, BatchNorm and ReLU first (He et al. 2016, arXiv:1603.05027).

    A BatchNorm after the convolutions would be folded into them, with a copy of the weights per application;
    before them, it costs two numbers per channel and application.
    """
    if not times:
        return x
    channels = x.shape[-1]
    depthwise = layers.DepthwiseConv2D(3, padding="same", use_bias=False, name=f"{name}_depthwise")
    pointwise = layers.Conv2D(channels, 1, use_bias=False, name=f"{name}_pointwise")
    for time in range(times):
        y = layers.BatchNormalization(name=f"{name}_bn{time}")(x)
        y = layers.ReLU(name=f"{name}_relu{time}")(y)
        x = layers.Add(name=f"{name}_add{time}")([x, pointwise(depthwise(y))])
    return x


def _teacher(spec: TeacherSpec) -> keras.Model:
    inputs = keras.Input((spec.size, spec.size, 1))
    x = layers.Conv2D(spec.widths[0], 3, padding="same", use_bias=False, name="stem")(inputs)
    x = layers.ReLU()(layers.BatchNormalization(name="stem_bn")(x))
    for number, width in enumerate(spec.widths[1:]):
        x = _residual(layers.MaxPooling2D()(x), width, f"block{number}")
    x = _residual(x, spec.widths[-1], "last")
    x = layers.Dropout(spec.dropout)(layers.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, layers.Dense(spec.classes, dtype="float32", name="logits")(x), name="body")


def _residual(x: Any, width: int, name: str) -> Any:
    y = layers.Conv2D(width, 3, padding="same", use_bias=False, name=f"{name}_conv1")(x)
    y = layers.ReLU()(layers.BatchNormalization(name=f"{name}_bn1")(y))
    y = layers.Conv2D(width, 3, padding="same", use_bias=False, name=f"{name}_conv2")(y)
    y = layers.BatchNormalization(name=f"{name}_bn2")(y)
    if x.shape[-1] != width:
        x = layers.Conv2D(width, 1, use_bias=False, name=f"{name}_shortcut")(x)
    return layers.ReLU()(layers.Add()([x, y]))
