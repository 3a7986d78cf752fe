"""A trained network as it is converted: BatchNorm is gone, and what it did lies in convolutions.

Behind a convolution that is applied once, BatchNorm becomes part of it (Jacob et al. 2017, arXiv:1712.05877).
Elsewhere, as before the blocks that are applied several times with the same weights, it becomes a depthwise
1x1 convolution: integers then hold a scale for each of its channels and 32 bits for each shift, where a
multiplication and an addition had one scale for all channels and 8 bits.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers

from train.models.graph import is_linear, iter_nodes

_PLAIN = (layers.Conv2D, layers.DepthwiseConv2D, layers.Dense)
# The converter folds BatchNorm into the second half of these by itself.
_DOUBLE = (layers.SeparableConv2D, layers.Conv2DTranspose)


def folded(body: keras.Model) -> keras.Model:
    """The same function without BatchNorm.

    Args:
        body: a functional network.

    Returns:
        A new one with layers of the same names. BatchNorm behind a separable convolution stays.
    """
    takers = _takers(body)
    inside, spread = dict[str, str](), set[str]()
    for node in iter_nodes(body):
        if isinstance(node.operation, layers.BatchNormalization):
            maker = node.input_tensors[0]._keras_history.operation
            if isinstance(maker, _DOUBLE):
                continue
            if isinstance(maker, _PLAIN) and is_linear(maker) and takers[maker.name] == 1:
                inside[node.operation.name] = maker.name
            else:
                spread.add(node.operation.name)
    absorbing = set(inside.values())

    def make(layer: Any) -> Any:
        if layer.name in inside:
            return layers.Identity(name=layer.name)
        if layer.name in spread:
            return layers.DepthwiseConv2D(1, name=layer.name)
        settings = layer.get_config()
        return type(layer).from_config(settings | {"use_bias": True} if layer.name in absorbing else settings)

    # BatchNorm is called with a mask, which convolutions do not know.
    new = keras.models.clone_model(
        body, clone_function=make, call_function=lambda layer, *tensors, **_: layer(*tensors)
    )
    for layer in body.layers:
        if layer.name in spread:
            factor, shift = _affine(layer)
            new.get_layer(layer.name).set_weights([factor.reshape(1, 1, -1, 1), shift])
        elif layer.weights and layer.name not in inside and layer.name not in absorbing:
            new.get_layer(layer.name).set_weights(layer.get_weights())
    for norm, maker in inside.items():
        _absorb(body.get_layer(maker), body.get_layer(norm), new.get_layer(maker))
    return new


def _takers(body: keras.Model) -> dict[str, int]:
    """{layer: how many take what it makes, over all of its applications}."""
    found: dict[str, int] = {}
    for node in iter_nodes(body):
        for tensor in node.input_tensors:
            name = tensor._keras_history.operation.name
            found[name] = found.get(name, 0) + 1
    return found


def _affine(norm: Any) -> tuple[Any, Any]:
    """What BatchNorm multiplies with and adds, (C,) each."""
    weights = {weight.name: keras.ops.convert_to_numpy(weight) for weight in norm.weights}
    factor = weights.get("gamma", 1.0) / np.sqrt(weights["moving_variance"] + norm.epsilon)
    return factor, weights.get("beta", 0.0) - weights["moving_mean"] * factor


def _absorb(maker: Any, norm: Any, new: Any) -> None:
    factor, shift = _affine(norm)
    kernel, *bias = maker.get_weights()
    by_channel = factor[:, np.newaxis] if isinstance(maker, layers.DepthwiseConv2D) else factor
    new.set_weights([kernel * by_channel, shift + (bias[0] * factor if bias else 0.0)])
