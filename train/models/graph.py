"""Walks the graph of layers that a Keras model is made of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras

from edge.errors import ConfigError


def iter_nodes(model: keras.Model) -> Iterator[Any]:
    """Yields every application of a layer, a model or an operation, each after those that it depends on.

    A layer that is applied several times appears once per application. Keras has no public name for these
    nodes; of each, `operation`, `input_tensors` and `outputs` are used in this package.

    Args:
        model: a functional model, or a sequential one whose input shape is known.

    Raises:
        ConfigError: the model is of another kind.
    """
    graph = getattr(model, "_functional", None) if isinstance(model, keras.Sequential) else model
    if not isinstance(graph, keras.Function):
        raise ConfigError(
            f"{model.name}: expected a functional model, or a sequential one of known input shape"
        )
    for depth in sorted(graph._nodes_by_depth, reverse=True):
        for node in graph._nodes_by_depth[depth]:
            if not node.is_input:
                yield node


def is_linear(layer: Any) -> bool:
    """Returns whether a layer with an `activation` applies none to its output."""
    return getattr(layer, "activation", None) is keras.activations.linear
