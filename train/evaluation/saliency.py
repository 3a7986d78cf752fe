"""Which pixels a network's answer hangs on: gradients of a label's logit, plain and guided."""

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
    """What raising a pixel would do to a label's logit.

    "gradient" is the derivative itself (Simonyan et al. 2014, arXiv:1312.6034). "guided" is guided
    back-propagation (Springenberg et al. 2015, arXiv:1412.6806): on its way back through each ReLU a gradient
    goes on only where it is positive, too, which leaves what speaks for the label and is easier to look at.

    Args:
        model: of `train.models.sepnet.build`.
        images: (N, size, size) uint8.
        labels: (N,) whose logits; those answered, if None.
        method: how.

    Returns:
        (N, size, size) float32, either sign, in logits per scaled pixel.

    Raises:
        ConfigError: there is no such method, or no label of such a number.
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
    looked_at = _guided(body) if method == "guided" else body
    mask = np.eye(logits.shape[1], dtype=np.float32)[chosen]
    _, found = gradients_of(lambda x: ops.sum(looked_at(x, training=False) * mask), pixels, ())
    return found[..., 0]


def _guided(body: keras.Model) -> keras.Model:
    """The same network with other gradients: a ReLU, alone or in a layer, lets only positive ones back."""

    def clone(layer: Any) -> Any:
        if isinstance(layer, layers.ReLU):
            if layer.max_value is not None or layer.negative_slope or layer.threshold:
                raise ConfigError(f"{layer.name}: guided back-propagation knows the plain ReLU only")
            return layers.Activation(_guided_relu, name=layer.name)
        copy = layer.__class__.from_config(layer.get_config())
        if getattr(layer, "activation", None) is keras.activations.relu:
            copy.activation = _guided_relu
        return copy

    looked_at = keras.models.clone_model(body, clone_function=clone)
    looked_at.set_weights(body.get_weights())
    return looked_at


@ops.custom_gradient  # type: ignore[untyped-decorator]
def _guided_relu(x: Any) -> Any:
    def gradient(*arguments: Any, upstream: Any = None) -> Any:
        # TensorFlow and PyTorch hand it over by position, JAX by name.
        (coming,) = (upstream,) if upstream is not None else arguments
        return ops.where(ops.logical_and(x > 0, coming > 0), coming, ops.zeros_like(coming))

    return ops.relu(x), gradient
