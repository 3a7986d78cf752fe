"""Shows which pixels a prediction depends on, by gradients of a label's logit, plain and guided."""

from __future__ import annotations

from typing import Any, Literal

import keras
import numpy as np
import numpy.typing as npt
from keras import layers, ops

from edge.errors import ConfigError
from edge.types import Gray
from train.models.gradients import gradients_of

Method = Literal["gradient", "guided"]
METHODS: tuple[Method, ...] = ("gradient", "guided")


def saliency(
    model: keras.Model,
    images: Gray,
    labels: npt.NDArray[np.int64] | None = None,
    method: Method = "guided",
) -> npt.NDArray[np.float32]:
    """Computes how a label's logit changes when a pixel is raised.

    "gradient" is the derivative itself (Simonyan et al. 2014, arXiv:1312.6034). "guided" is guided
    back-propagation (Springenberg et al. 2015, arXiv:1412.6806): each ReLU passes back positive gradients
    only, so that the evidence for the label remains, which is clearer to see.

    Args:
        model: a network that `train.models.sepnet.build` returned.
        images: (N, size, size) uint8.
        labels: (N,) labels whose logits are differentiated; None for the predicted labels.
        method: the kind of gradient.

    Returns:
        (N, size, size) float32 of either sign, in logits per unit of scaled pixel.

    Raises:
        ConfigError: the method is unknown, a label is out of range, or "guided" is wanted of a network with
            ReLUs that are limited, leaky or shifted.
    """
    if method not in METHODS:
        raise ConfigError(f"no saliency {method!r}; expected {' or '.join(METHODS)}")
    body = model.get_layer("body")
    scale = model.get_layer("scale")
    pixels = images[..., np.newaxis].astype(np.float32) * np.float32(scale.scale) + np.float32(scale.offset)
    logits = ops.convert_to_numpy(body(pixels, training=False))
    chosen = logits.argmax(axis=1) if labels is None else labels
    if len(chosen) and not 0 <= chosen.min() <= chosen.max() < logits.shape[1]:
        raise ConfigError(
            f"labels {chosen.min()} to {chosen.max()}; the network has 0 to {logits.shape[1] - 1}"
        )
    network = _guided(body) if method == "guided" else body
    mask = np.eye(logits.shape[1], dtype=np.float32)[chosen]
    _, gradients = gradients_of(lambda x: ops.sum(network(x, training=False) * mask), pixels, ())
    return gradients[..., 0]


def _guided(body: keras.Model) -> keras.Model:
    """Returns a copy of a network in which every ReLU passes back positive gradients only."""

    def clone(layer: Any) -> Any:
        if isinstance(layer, layers.ReLU):
            if layer.max_value is not None or layer.negative_slope or layer.threshold:
                raise ConfigError(f"{layer.name}: guided back-propagation supports the plain ReLU only")
            return layers.Activation(_guided_relu, name=layer.name)
        copy = layer.__class__.from_config(layer.get_config())
        if getattr(layer, "activation", None) is keras.activations.relu:
            copy.activation = _guided_relu
        return copy

    guided = keras.models.clone_model(body, clone_function=clone)
    guided.set_weights(body.get_weights())
    return guided


@ops.custom_gradient  # type: ignore[untyped-decorator]
def _guided_relu(x: Any) -> Any:
    def gradient(*arguments: Any, upstream: Any = None) -> Any:
        # TensorFlow and PyTorch pass the upstream gradient by position, JAX by name.
        (incoming,) = (upstream,) if upstream is not None else arguments
        return ops.where(ops.logical_and(x > 0, incoming > 0), incoming, ops.zeros_like(incoming))

    return ops.relu(x), gradient
