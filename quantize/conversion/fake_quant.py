"""A network that computes in float what its int8 file will, so that training can adapt to the rounding.

Weights and activations are rounded to the grids of int8 in the forward pass; gradients pass as if they were
not (fake quantization, Jacob et al. 2017, arXiv:1712.05877, section 3; the straight-through estimator, Bengio
et al. 2013, arXiv:1308.3432).
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import layers, ops

from quantize.conversion.activation_ranges import mse_range
from quantize.conversion.tensor_graph import scale_groups
from train.models.graph import iter_nodes

# Outputs of these are on the grid of their input already.
_VALUE_PRESERVING = (
    layers.Identity,
    layers.Dropout,
    layers.MaxPooling2D,
    layers.AveragePooling2D,
    layers.Flatten,
    layers.Reshape,
)
_STEPS = 255
_LARGEST_WEIGHT = 127  # weights use -127 to 127: their zero point is 0
_BATCH = 64
_SAMPLES = 12_800  # values that are sampled from a tensor in each batch
Array = npt.NDArray[np.float32]


class FakeQuant(layers.Layer):  # type: ignore[misc]
    """Rounds activations as an int8 tensor does: to one of 256 evenly spaced values, one of which is 0."""

    def __init__(self, low: float, high: float, **settings: Any) -> None:
        """Sets the grid.

        Args:
            low: smallest value of the range, at most 0.
            high: largest value of the range, at least 0.
            settings: arguments of the base class.
        """
        super().__init__(**settings)
        self._step = (high - low) / _STEPS or 1.0
        zero_point = float(np.round(-low / self._step))
        self._ends = -zero_point * self._step, (_STEPS - zero_point) * self._step

    def call(self, values: Any) -> Any:
        """Returns the nearest values of the grid; the gradient is 1 within the range and 0 beyond it."""
        return _on_grid(ops.clip(values, *self._ends), self._step)


class FakeQuantModel(keras.Model):  # type: ignore[misc]
    """A network whose weights and activations are rounded. Training it changes the network's own weights."""

    def __init__(self, body: keras.Model, pixels: Array) -> None:
        """Adds rounding to a network.

        Args:
            body: functional model without BatchNorm (see `conversion.batchnorm_folding`).
            pixels: (N, size, size, 1) scaled pixels, to measure the activations' ranges on; the ranges are
                not changed by training.
        """
        super().__init__(name="rounded")
        self._network = _with_fake_quant(body, pixels)
        self._kernels = [
            (weight, _shared_axes(layer, weight))
            for layer in body.layers
            for weight in layer.trainable_weights
            if "kernel" in weight.name
        ]

    def call(self, pixels: Any, training: bool = False) -> Any:
        """Returns (N, classes) logits of (N, size, size, 1) scaled pixels, always without dropout."""
        rounded = [(weight, _rounded_weight(weight, axes)) for weight, axes in self._kernels]
        with keras.StatelessScope(rounded):
            return self._network(pixels, training=False)


def _with_fake_quant(body: keras.Model, pixels: Array) -> keras.Model:
    """Returns a model of the same layers, with a `FakeQuant` behind each tensor that the int8 file stores."""
    stored, last = scale_groups(body).stored(), body.outputs[0]
    computed = [
        node.outputs[0] for node in iter_nodes(body) if not isinstance(node.operation, _VALUE_PRESERVING)
    ]
    ranges = _ranges(body, [tensor for tensor in computed if id(tensor) in stored], last, pixels)
    entry = keras.Input(body.input_shape[1:])
    copies = {id(body.inputs[0]): entry}
    for node in iter_nodes(body):
        arguments, keywords = node.arguments.fill_in(copies)
        values = node.operation(*arguments, **keywords)
        key = id(node.outputs[0])
        copies[key] = FakeQuant(*ranges[key])(values) if key in ranges else values
    return keras.Model(entry, copies[id(last)])


def _ranges(
    body: keras.Model, tensors: list[Any], last: Any, pixels: Array
) -> dict[int, tuple[float, float]]:
    """Returns {id of the tensor: ends of its range}; the output's range is not clipped, as in conversion."""
    probe = keras.Model(body.input, tensors)
    random = np.random.default_rng(0)
    samples: list[list[Array]] = [[] for _ in tensors]
    for start in range(0, len(pixels), _BATCH):
        outputs = probe(pixels[start : start + _BATCH], training=False)
        for values, collected in zip(outputs, samples, strict=True):
            flat = keras.ops.convert_to_numpy(values).ravel()
            sample = random.choice(flat, _SAMPLES) if len(flat) > _SAMPLES else flat
            collected.append(np.append(sample, [flat.min(), flat.max()]))
    ranges = {}
    for tensor, arrays in zip(tensors, samples, strict=True):
        values = np.concatenate(arrays)
        ends = min(0.0, float(values.min())), max(0.0, float(values.max()))
        ranges[id(tensor)] = ends if tensor is last else mse_range(values, *ends)
    return ranges


def _shared_axes(layer: Any, weight: Any) -> tuple[int, ...]:
    """Returns the axes over which weights share a step: all but the output channels'.

    Depthwise kernels hold their channels in the third axis, other kernels in the last.
    """
    depthwise = isinstance(layer, layers.DepthwiseConv2D) or "depthwise" in weight.name
    return (0, 1) if depthwise else tuple(range(len(weight.shape) - 1))


def _rounded_weight(weight: Any, axes: tuple[int, ...]) -> Any:
    values = ops.convert_to_tensor(weight)
    largest = ops.max(ops.abs(values), axis=axes, keepdims=True)
    return _on_grid(values, ops.maximum(largest, 1e-12) / _LARGEST_WEIGHT)


def _on_grid(values: Any, step: Any) -> Any:
    """Rounds to multiples of a step; the gradient is that of the identity."""
    return values + ops.stop_gradient(ops.round(values / step) * step - values)
