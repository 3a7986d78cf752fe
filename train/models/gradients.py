"""Computes gradients by back-propagation on the supported backends of Keras."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from edge.errors import ConfigError


def gradients_of(
    scalar: Callable[[Any], Any], inputs: npt.NDArray[np.float32], variables: Sequence[Any]
) -> tuple[list[npt.NDArray[np.float32]], npt.NDArray[np.float32]]:
    """Computes the gradients of a scalar with respect to inputs and variables.

    Args:
        scalar: function from the backend's tensor of inputs to a tensor of one number; it may use only
            operations of Keras.
        inputs: float32 array of any shape.
        variables: Keras variables that the scalar depends on.

    Returns:
        The gradients with respect to the variables, each of its variable's shape, and the one with respect to
        the inputs.

    Raises:
        ConfigError: Keras runs on a backend that is not supported.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        return _by_tensorflow(scalar, inputs, variables)
    if backend == "torch":
        return _by_torch(scalar, inputs, variables)
    raise ConfigError(f"gradients need Keras on tensorflow or torch, not {backend}: set KERAS_BACKEND")


_Gradients = tuple[list[npt.NDArray[np.float32]], npt.NDArray[np.float32]]


def _by_tensorflow(scalar: Any, inputs: Any, variables: Any) -> _Gradients:
    import tensorflow as tf

    values = [variable.value for variable in variables]
    with tf.GradientTape() as tape:
        tensor = tf.convert_to_tensor(inputs)
        tape.watch(tensor)
        number = scalar(tensor)
    *of_variables, of_inputs = tape.gradient(number, [*values, tensor], unconnected_gradients="zero")
    return [tf.convert_to_tensor(gradient).numpy() for gradient in of_variables], of_inputs.numpy()


def _by_torch(scalar: Any, inputs: Any, variables: Any) -> _Gradients:
    import torch

    values = [variable.value for variable in variables]
    tensor = keras.ops.convert_to_tensor(inputs).detach().requires_grad_(True)
    gradients = torch.autograd.grad(
        scalar(tensor), [*values, tensor], allow_unused=True, materialize_grads=True
    )
    *of_variables, of_inputs = (gradient.detach().cpu().numpy() for gradient in gradients)
    return of_variables, of_inputs
