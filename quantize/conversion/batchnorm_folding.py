"""Folds BatchNorm into convolutions, as a network is prepared for conversion.

BatchNorm behind a convolution that is applied once becomes part of it (Jacob et al. 2017, arXiv:1712.05877).
Elsewhere, as before blocks that are applied several times with the same weights, it becomes a depthwise 1x1
convolution: in int8 this has a scale for each channel and 32 bits for each shift, where a multiplication and
an addition would have one scale for all channels and 8 bits.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers

from train.models.graph import is_linear, iter_nodes

_FOLDABLE = (layers.Conv2D, layers.DepthwiseConv2D, layers.Dense)
# The converter itself folds BatchNorm into the second half of these.
_LEFT_TO_CONVERTER = (layers.SeparableConv2D, layers.Conv2DTranspose)


def folded(body: keras.Model) -> keras.Model:
    """Returns the same function without BatchNorm.

    Args:
        body: functional model.

    Returns:
        A new model with layers of the same names. BatchNorm behind a separable convolution stays.
    """
    uses = _uses(body)
    folded_into, depthwise = dict[str, str](), set[str]()
    for node in iter_nodes(body):
        if isinstance(node.operation, layers.BatchNormalization):
            producer = node.input_tensors[0]._keras_history.operation
            if isinstance(producer, _LEFT_TO_CONVERTER):
                continue
            if isinstance(producer, _FOLDABLE) and is_linear(producer) and uses[producer.name] == 1:
                folded_into[node.operation.name] = producer.name
            else:
                depthwise.add(node.operation.name)
    absorbing = set(folded_into.values())

    def make(layer: Any) -> Any:
        if layer.name in folded_into:
            return layers.Identity(name=layer.name)
        if layer.name in depthwise:
            return layers.DepthwiseConv2D(1, name=layer.name)
        settings = layer.get_config()
        return type(layer).from_config(settings | {"use_bias": True} if layer.name in absorbing else settings)

    # BatchNorm is called with a mask, which convolutions do not take.
    new = keras.models.clone_model(
        body, clone_function=make, call_function=lambda layer, *tensors, **_: layer(*tensors)
    )
    for layer in body.layers:
        if layer.name in depthwise:
            factor, shift = _affine(layer)
            new.get_layer(layer.name).set_weights([factor.reshape(1, 1, -1, 1), shift])
        elif layer.weights and layer.name not in folded_into and layer.name not in absorbing:
            new.get_layer(layer.name).set_weights(layer.get_weights())
    for norm, producer in folded_into.items():
        _absorb(body.get_layer(producer), body.get_layer(norm), new.get_layer(producer))
    return new


def _uses(body: keras.Model) -> dict[str, int]:
    """Returns {name of the layer: how many layers read its outputs, over all of its applications}."""
    uses: dict[str, int] = {}
    for node in iter_nodes(body):
        for tensor in node.input_tensors:
            name = tensor._keras_history.operation.name
            uses[name] = uses.get(name, 0) + 1
    return uses


def _affine(norm: Any) -> tuple[Any, Any]:
    """Returns the factor and the summand of a BatchNorm, (C,) each."""
    weights = {weight.name: keras.ops.convert_to_numpy(weight) for weight in norm.weights}
    factor = weights.get("gamma", 1.0) / np.sqrt(weights["moving_variance"] + norm.epsilon)
    return factor, weights.get("beta", 0.0) - weights["moving_mean"] * factor


def _absorb(producer: Any, norm: Any, new: Any) -> None:
    """Sets the weights of the convolution that replaces a convolution and the BatchNorm behind it."""
    factor, shift = _affine(norm)
    kernel, *bias = producer.get_weights()
    by_channel = factor[:, np.newaxis] if isinstance(producer, layers.DepthwiseConv2D) else factor
    new.set_weights([kernel * by_channel, shift + (bias[0] * factor if bias else 0.0)])
