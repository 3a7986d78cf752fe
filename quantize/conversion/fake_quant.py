"""A network that computes in floats what its integers will, so that training can learn to live with them.

Weights and activations are put on the grids of int8 in the forward pass; gradients pass as if they were not
(fake quantization, Jacob et al. 2017, arXiv:1712.05877, section 3; the straight-through estimator, Bengio et
al. 2013, arXiv:1308.3432).
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import layers, ops

from quantize.conversion.activation_ranges import mse_range
from quantize.conversion.tensor_graph import walk_through
from train.models.graph import iter_nodes

# What these give out is on their input's grid already.
_MOVING = (
    layers.Identity,
    layers.Dropout,
    layers.MaxPooling2D,
    layers.AveragePooling2D,
    layers.Flatten,
    layers.Reshape,
)
_STEPS = 255
_LARGEST_WEIGHT = 127  # weights use -127 to 127: their zero is 0
_BATCH = 64
_SAMPLES = 12_800  # values of a tensor that a batch adds
Array = npt.NDArray[np.float32]


class FakeQuant(layers.Layer):  # type: ignore[misc]
    """An activation as an integer tensor holds it: one of 256 values, evenly spaced, 0 among them."""

    def __init__(self, low: float, high: float, **settings: Any) -> None:
        """Takes the ends of the range, 0 within it."""
        super().__init__(**settings)
        self._step = (high - low) / _STEPS or 1.0
        zero = float(np.round(-low / self._step))
        self._ends = -zero * self._step, (_STEPS - zero) * self._step

    def call(self, values: Any) -> Any:
        """The nearest of the 256; the gradient is 1 within the range and 0 beyond."""
        return _on_grid(ops.clip(values, *self._ends), self._step)


class FakeQuantModel(keras.Model):  # type: ignore[misc]
    """A network as its integers compute; what trains are the network's own weights."""

    def __init__(self, body: keras.Model, pixels: Array) -> None:
        """Rounds what integers round.

        Args:
            body: functional, without BatchNorm (see `conversion.batchnorm_folding`).
            pixels: (N, size, size, 1) what it reads, to find ranges by; these stay as they are found.
        """
        super().__init__(name="rounded")
        self._network = _with_roundings(body, pixels)
        self._kernels = [
            (weight, _axes(layer, weight))
            for layer in body.layers
            for weight in layer.trainable_weights
            if "kernel" in weight.name
        ]

    def call(self, pixels: Any, training: bool = False) -> Any:
        """(N, size, size, 1) to (N, classes) logits; nothing is dropped in training."""
        rounded = [(weight, _rounded_weight(weight, axes)) for weight, axes in self._kernels]
        with keras.StatelessScope(rounded):
            return self._network(pixels, training=False)


def _with_roundings(body: keras.Model, pixels: Array) -> keras.Model:
    """The same layers, with a rounding behind each that makes values which integers store."""
    stored, last = walk_through(body).stored(), body.outputs[0]
    made = [node.outputs[0] for node in iter_nodes(body) if not isinstance(node.operation, _MOVING)]
    ranges = _ranges(body, [tensor for tensor in made if id(tensor) in stored], last, pixels)
    entry = keras.Input(body.input_shape[1:])
    found = {id(body.inputs[0]): entry}
    for node in iter_nodes(body):
        places, names = node.arguments.fill_in(found)
        values = node.operation(*places, **names)
        key = id(node.outputs[0])
        found[key] = FakeQuant(*ranges[key])(values) if key in ranges else values
    return keras.Model(entry, found[id(last)])


def _ranges(body: keras.Model, made: list[Any], last: Any, pixels: Array) -> dict[int, tuple[float, float]]:
    """{tensor's key: ends of its range}; the output's as they are, as in `conversion.activation_ranges`."""
    probe = keras.Model(body.input, made)
    random = np.random.default_rng(0)
    kept: list[list[Array]] = [[] for _ in made]
    for start in range(0, len(pixels), _BATCH):
        for values, each in zip(probe(pixels[start : start + _BATCH], training=False), kept, strict=True):
            flat = keras.ops.convert_to_numpy(values).ravel()
            sample = random.choice(flat, _SAMPLES) if len(flat) > _SAMPLES else flat
            each.append(np.append(sample, [flat.min(), flat.max()]))
    found = {}
    for tensor, arrays in zip(made, kept, strict=True):
        values = np.concatenate(arrays)
        ends = min(0.0, float(values.min())), max(0.0, float(values.max()))
        found[id(tensor)] = ends if tensor is last else mse_range(values, *ends)
    return found


def _axes(layer: Any, weight: Any) -> tuple[int, ...]:
    """Over which weights share a step: all but the output channels, which depthwise kernels hold third."""
    depthwise = isinstance(layer, layers.DepthwiseConv2D) or "depthwise" in weight.name
    return (0, 1) if depthwise else tuple(range(len(weight.shape) - 1))


def _rounded_weight(weight: Any, axes: tuple[int, ...]) -> Any:
    values = ops.convert_to_tensor(weight)
    largest = ops.max(ops.abs(values), axis=axes, keepdims=True)
    return _on_grid(values, ops.maximum(largest, 1e-12) / _LARGEST_WEIGHT)


def _on_grid(values: Any, step: Any) -> Any:
    return values + ops.stop_gradient(ops.round(values / step) * step - values)
