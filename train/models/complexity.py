"""Counts the multiplications per image and the parameters of a network, layer by layer."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras
from keras import layers

from edge.errors import ConfigError
from train.models.graph import is_linear, iter_nodes


@dataclass(frozen=True)
class LayerCost:
    """The cost of one application of a layer.

    Attributes:
        name: the layer's name after those of the models that contain it: "body/stem".
        kind: the layer's class.
        output_shape: shape of the output without the batch axis.
        parameters: number of weights, biases and BatchNorm statistics as Keras counts them; 0 from a layer's
            second application on.
        multiply_accumulates: number of multiply-accumulates per image.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...]
    parameters: int
    multiply_accumulates: int


def multiply_accumulates(model: keras.Model) -> int:
    """Counts the multiply-accumulates that one image costs.

    Every application of Conv2D, DepthwiseConv2D, SeparableConv2D and Dense counts, also in nested models;
    multiplications with padding count as any other. All else counts as 0: additions, activations, pooling,
    resizing, other convolutions, and BatchNorm, which is mostly folded into a convolution.

    Args:
        model: a functional or sequential model with a fixed input size.

    Raises:
        ConfigError: the model is of another kind, or a size is not fixed.
    """
    return sum(row.multiply_accumulates for row in layer_costs(model))


def layer_costs(model: keras.Model) -> tuple[LayerCost, ...]:
    """Returns the cost of every layer in the order of application, with nested models expanded.

    Args:
        model: a functional or sequential model with a fixed input size.

    Raises:
        ConfigError: the model is of another kind, or a size is not fixed.
    """
    rows, counted = [], set()
    for name, node in _applications(model):
        layer, shape = node.operation, tuple(node.outputs[0].shape[1:])
        if None in shape:
            raise ConfigError(
                f"{name}: its output {shape} is not fixed; expected a model of fixed input size"
            )
        parameters = 0 if id(layer) in counted else _parameters(layer)
        counted.add(id(layer))
        rows.append(LayerCost(name, type(layer).__name__, shape, parameters, _multiplications(layer, shape)))
    return tuple(rows)


def folded_parameters(model: keras.Model) -> int:
    """Counts the weights and biases that a TFLite file of the network stores.

    A BatchNorm directly after a convolution or dense layer without activation is folded into it, which leaves
    only a bias. Elsewhere a BatchNorm is a factor and a summand per channel. A convolution always has a bias;
    all biases of zeros of one length are stored once (`quantize.tflite.shrink`). A layer that is applied
    several times is stored once, or once per BatchNorm that is folded into it. Constants of layers without
    weights do not count.

    Args:
        model: a functional or sequential model. A BatchNorm directly after a nested model is not folded into
            that model's last layer.

    Raises:
        ConfigError: the model is of another kind.
    """
    stored: dict[tuple[int, int], int] = {}
    zeros: set[int] = set()
    for part in _models(model):
        norms = _folded_norms(part)
        folded = {id(norm) for norm in norms.values()}
        for node in iter_nodes(part):
            layer, norm, kernels = node.operation, norms.get(id(node)), _kernels(node.operation)
            if not kernels:
                if id(node) not in folded:
                    stored[id(layer), 0] = _unfolded(layer)
                continue
            biased = layer.use_bias or norm is not None
            values = sum(kernel.values for kernel in kernels) + (kernels[-1].channels if biased else 0)
            stored[id(layer), id(norm.operation) if norm else 0] = values
            # A dense layer may have no bias; all kernels of a separable convolution but the last have zeros.
            empty = kernels[:-1] if biased or isinstance(layer, layers.Dense) else kernels
            zeros |= {kernel.channels for kernel in empty}
    return sum(stored.values()) + sum(zeros)


@dataclass(frozen=True)
class _Kernel:
    """The number of weights of a kernel, and the number of its output channels."""

    values: int
    channels: int


def _kernels(layer: Any) -> tuple[_Kernel, ...]:
    """Returns the kernels that a layer applies in turn, or none if its multiplications do not count."""
    if isinstance(layer, layers.SeparableConv2D):
        return (_depthwise(layer.depthwise_kernel), _Kernel(_size(layer.pointwise_kernel), layer.filters))
    if isinstance(layer, layers.DepthwiseConv2D):
        return (_depthwise(layer.kernel),)
    if isinstance(layer, (layers.Conv2D, layers.Dense)):
        return (_Kernel(_size(layer.kernel), int(layer.kernel.shape[-1])),)
    return ()


def _depthwise(kernel: Any) -> _Kernel:
    return _Kernel(_size(kernel), math.prod(kernel.shape[-2:]))


def _size(weight: Any) -> int:
    return math.prod(weight.shape)


def _multiplications(layer: Any, output_shape: tuple[int, ...]) -> int:
    kernels = _kernels(layer)
    if not kernels:
        return 0
    # A separable convolution's first kernel has the stride, so both are applied once per output position.
    positions = math.prod(output_shape) // kernels[-1].channels
    return positions * sum(kernel.values for kernel in kernels)


def _parameters(layer: Any) -> int:
    return sum(map(_size, layer.weights)) if isinstance(layer, keras.Layer) else 0


def _unfolded(layer: Any) -> int:
    if isinstance(layer, keras.Model):
        return 0  # its layers are counted by themselves
    if isinstance(layer, layers.BatchNormalization):
        return 2 * _size(layer.moving_mean)
    return _parameters(layer)


def _folded_norms(model: keras.Model) -> dict[int, Any]:
    """Returns the BatchNorm nodes that are folded, by the id of the node that they are folded into."""
    producers = {id(tensor): node for node in iter_nodes(model) for tensor in node.outputs}
    uses = Counter(id(tensor) for node in iter_nodes(model) for tensor in node.input_tensors)
    uses.update(id(tensor) for tensor in model.outputs)

    def source(tensor: Any) -> Any:
        """Returns the node that produces a tensor with a single reader; Dropout is skipped, as in a file."""
        if uses[id(tensor)] != 1 or id(tensor) not in producers:
            return None
        node = producers[id(tensor)]
        return source(node.input_tensors[0]) if isinstance(node.operation, layers.Dropout) else node

    norms = {}
    for node in iter_nodes(model):
        if isinstance(node.operation, layers.BatchNormalization):
            producer = source(node.input_tensors[0])
            if producer is not None and _kernels(producer.operation) and is_linear(producer.operation):
                norms[id(producer)] = node
    return norms


def _applications(model: keras.Model, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yields name and node of every layer's application, with nested models expanded in place."""
    for node in iter_nodes(model):
        name = f"{path}{node.operation.name}"
        if isinstance(node.operation, keras.Model):
            yield from _applications(node.operation, f"{name}/")
        else:
            yield name, node


def _models(model: keras.Model) -> Iterator[keras.Model]:
    """Yields the model and all models nested in it."""
    yield model
    for node in iter_nodes(model):
        if isinstance(node.operation, keras.Model):
            yield from _models(node.operation)
