"""Gradients of a network's answers by back-propagation, on each backend of Keras that is supported."""

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
    """Gradients of a number that is computed from inputs and variables.

    Args:
        scalar: from a tensor of the backend, holding the inputs, to a tensor of one number; must work through
            Keras' operations alone.
        inputs: of any shape.
        variables: Keras' variables that the number depends on.

    Returns:
        Those of the variables, each of its variable's shape, and that of the inputs.

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

    held = [variable.value for variable in variables]
    with tf.GradientTape() as tape:
        tensor = tf.convert_to_tensor(inputs)
        tape.watch(tensor)
        number = scalar(tensor)
    *of_variables, of_inputs = tape.gradient(number, [*held, tensor], unconnected_gradients="zero")
    return [tf.convert_to_tensor(gradient).numpy() for gradient in of_variables], of_inputs.numpy()


def _by_torch(scalar: Any, inputs: Any, variables: Any) -> _Gradients:
    import torch

    held = [variable.value for variable in variables]
    tensor = keras.ops.convert_to_tensor(inputs).detach().requires_grad_(True)
    found = torch.autograd.grad(scalar(tensor), [*held, tensor], allow_unused=True, materialize_grads=True)
    *of_variables, of_inputs = (gradient.detach().cpu().numpy() for gradient in found)
    return of_variables, of_inputs
