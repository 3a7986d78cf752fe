"""Convolutions as sums and matrix products, which JAX compiles to fast code for several networks at once.

JAX maps a convolution over several networks to a grouped one, and a depthwise convolution is grouped already.
cuDNN and XLA's code for processors run both far below the memory's speed. Written as shifted products, XLA
fuses them; a 1x1 convolution and a stem are products of matrices.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp
from keras.src.backend.jax import nn


@contextmanager
def as_products() -> Iterator[None]:
    """Lets Keras' JAX backend use this module's convolutions while functions are traced in this context."""
    conv, depthwise = nn.conv, nn.depthwise_conv

    def pick(
        inputs: Any, kernel: Any, strides: Any = 1, padding: str = "valid", *rest: Any, **more: Any
    ) -> Any:
        rows, columns, channels, filters = kernel.shape
        kernel = nn.convert_to_tensor(kernel)
        if inputs.ndim == 4 and rows == columns == 1 and _pair(strides) == (1, 1):
            return jnp.einsum("nhwc,cf->nhwf", inputs.astype(kernel.dtype), kernel[0, 0])
        if inputs.ndim == 4 and channels == 1 == inputs.shape[-1]:
            taps = _taps(inputs.astype(kernel.dtype), (rows, columns), _pair(strides), padding)
            return jnp.einsum("nhwk,kf->nhwf", jnp.concatenate(taps, axis=-1), kernel.reshape(-1, filters))
        return conv(inputs, kernel, strides, padding, *rest, **more)

    nn.conv, nn.depthwise_conv = pick, _depthwise
    try:
        yield
    finally:
        nn.conv, nn.depthwise_conv = conv, depthwise


def _depthwise(inputs: Any, kernel: Any, strides: Any = 1, padding: str = "valid", *_: Any, **__: Any) -> Any:
    kernel = nn.convert_to_tensor(kernel)
    rows, columns, channels, _multiplier = kernel.shape
    inputs, flat = inputs.astype(kernel.dtype), kernel.reshape(rows * columns, channels)
    if padding.lower() == "valid" and inputs.shape[1:3] == (rows, columns):
        return jnp.einsum("nhwc,hwc->nc", inputs, kernel[..., 0])[:, None, None]
    if padding.lower() == "valid" and rows == inputs.shape[1] and columns == 1:
        return jnp.einsum("nhwc,hc->nwc", inputs, kernel[:, 0, :, 0])[:, None]
    if padding.lower() == "valid" and columns == inputs.shape[2] and rows == 1:
        return jnp.einsum("nhwc,wc->nhc", inputs, kernel[0, :, :, 0])[:, :, None]
    taps = _taps(inputs, (rows, columns), _pair(strides), padding)
    return sum(tap * flat[index] for index, tap in enumerate(taps))


def _taps(inputs: Any, size: tuple[int, int], strides: tuple[int, int], padding: str) -> list[Any]:
    """Returns what each weight of a kernel is multiplied with, row by row."""
    shape = inputs.shape[1:3]
    pads = jax.lax.padtype_to_pads(shape, size, strides, padding.upper())
    padded = jnp.pad(inputs, ((0, 0), *pads, (0, 0)))
    counts = [(padded.shape[1 + i] - size[i]) // strides[i] + 1 for i in (0, 1)]
    return [
        padded[:, y : y + strides[0] * counts[0] : strides[0], x : x + strides[1] * counts[1] : strides[1]]
        for y in range(size[0])
        for x in range(size[1])
    ]


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (int(value[0]), int(value[1]))
