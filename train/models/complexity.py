"""What a network costs: multiplications a picture, parameters, layer by layer."""

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
    """One application of one layer.

    Attributes:
        name: the layer's, those of the models that it lies in before it: "body/stem".
        kind: its class.
        output_shape: without the batch.
        parameters: weights, biases and BatchNorm's statistics as Keras counts them; 0 from a layer's second
            application on.
        multiply_accumulates: for one picture.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...]
    parameters: int
    multiply_accumulates: int


def multiply_accumulates(model: keras.Model) -> int:
    """Multiplications with a following addition that one picture costs.

    Counted are Conv2D, DepthwiseConv2D, SeparableConv2D and Dense, every time they are applied, also in
    models within the model; those with padding zeros as any other. Everything else counts as 0: additions,
    activations, pooling, BatchNorm (which disappears in a convolution, mostly), resizing, other convolutions.

    Args:
        model: functional or sequential, with a fixed input size.

    Raises:
        ConfigError: the model is of another kind, or a size is not fixed.
    """
    return sum(row.multiply_accumulates for row in layer_costs(model))


def layer_costs(model: keras.Model) -> tuple[LayerCost, ...]:
    """What every layer costs, in the order of their application, models within the model unfolded.

    Args:
        model: functional or sequential, with a fixed input size.

    Raises:
        ConfigError: the model is of another kind, or a size is not fixed.
    """
    rows, met = [], set()
    for name, node in _applications(model):
        layer, shape = node.operation, tuple(node.outputs[0].shape[1:])
        if None in shape:
            raise ConfigError(
                f"{name}: its output {shape} is not fixed; expected a model of fixed input size"
            )
        parameters = 0 if id(layer) in met else _parameters(layer)
        met.add(id(layer))
        rows.append(LayerCost(name, type(layer).__name__, shape, parameters, _multiplied(layer, shape)))
    return tuple(rows)


def folded_parameters(model: keras.Model) -> int:
    """Weights and biases as they lie in a TFLite file of the network.

    A BatchNorm right behind a convolution or dense layer without activation is folded into it: only a bias
    is left of it. Elsewhere it is a factor and a summand per channel. A convolution has a bias in any case;
    those of zeros, of one length, are one (`tflite.shrink`). A layer applied several times is stored once,
    but once for each BatchNorm that is folded into it. Constants of layers without weights do not count.

    Args:
        model: functional or sequential. A BatchNorm right behind a whole model is not folded into its end.

    Raises:
        ConfigError: the model is of another kind.
    """
    stored: dict[tuple[int, int], int] = {}
    zeros: set[int] = set()
    for part in _models(model):
        norms = _folded_norms(part)
        gone = {id(norm) for norm in norms.values()}
        for node in iter_nodes(part):
            layer, norm, kernels = node.operation, norms.get(id(node)), _kernels(node.operation)
            if not kernels:
                if id(node) not in gone:
                    stored[id(layer), 0] = _unfolded(layer)
                continue
            biased = layer.use_bias or norm is not None
            values = sum(kernel.values for kernel in kernels) + (kernels[-1].channels if biased else 0)
            stored[id(layer), id(norm.operation) if norm else 0] = values
            # A dense layer can do without a bias, and all kernels but the last have none.
            empty = kernels[:-1] if biased or isinstance(layer, layers.Dense) else kernels
            zeros |= {kernel.channels for kernel in empty}
    return sum(stored.values()) + sum(zeros)


@dataclass(frozen=True)
class _Kernel:
    """How many weights a kernel has, and how many channels it gives."""

    values: int
    channels: int


def _kernels(layer: Any) -> tuple[_Kernel, ...]:
    """The kernels that a layer applies one after the other; empty where multiplications are not counted."""
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


def _multiplied(layer: Any, output_shape: tuple[int, ...]) -> int:
    kernels = _kernels(layer)
    if not kernels:
        return 0
    # A stride is in the first kernel, so both of a separable convolution work at as many places as come out.
    places = math.prod(output_shape) // kernels[-1].channels
    return places * sum(kernel.values for kernel in kernels)


def _parameters(layer: Any) -> int:
    return sum(map(_size, layer.weights)) if isinstance(layer, keras.Layer) else 0


def _unfolded(layer: Any) -> int:
    if isinstance(layer, keras.Model):
        return 0  # its layers are counted one by one
    if isinstance(layer, layers.BatchNormalization):
        return 2 * _size(layer.moving_mean)
    return _parameters(layer)


def _folded_norms(model: keras.Model) -> dict[int, Any]:
    """By the id of a convolution's or dense layer's application: the BatchNorm's that is folded into it."""
    makers = {id(tensor): node for node in iter_nodes(model) for tensor in node.outputs}
    uses = Counter(id(tensor) for node in iter_nodes(model) for tensor in node.input_tensors)
    uses.update(id(tensor) for tensor in model.outputs)

    def source(tensor: Any) -> Any:
        """What made a tensor that nothing else reads; dropout does nothing in a file."""
        if uses[id(tensor)] != 1 or id(tensor) not in makers:
            return None
        maker = makers[id(tensor)]
        return source(maker.input_tensors[0]) if isinstance(maker.operation, layers.Dropout) else maker

    norms = {}
    for node in iter_nodes(model):
        if isinstance(node.operation, layers.BatchNormalization):
            maker = source(node.input_tensors[0])
            if maker is not None and _kernels(maker.operation) and is_linear(maker.operation):
                norms[id(maker)] = node
    return norms


def _applications(model: keras.Model, path: str = "") -> Iterator[tuple[str, Any]]:
    """Names and applications of all layers, those of models within the model in the place of these."""
    for node in iter_nodes(model):
        name = f"{path}{node.operation.name}"
        if isinstance(node.operation, keras.Model):
            yield from _applications(node.operation, f"{name}/")
        else:
            yield name, node


def _models(model: keras.Model) -> Iterator[keras.Model]:
    """The model and all within it."""
    yield model
    for node in iter_nodes(model):
        if isinstance(node.operation, keras.Model):
            yield from _models(node.operation)
