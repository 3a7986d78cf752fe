"""Gradients against those computed by hand."""

import numpy as np
import pytest

from edge.errors import ConfigError

pytestmark = pytest.mark.train

import keras  # noqa: E402

from train.models.gradients import gradients_of  # noqa: E402


def test_gradients_are_those_computed_by_hand():
    used, unused = keras.Variable([2.0, 3.0]), keras.Variable([1.0])
    inputs = np.array([5.0, 7.0], dtype=np.float32)
    of_variables, of_inputs = gradients_of(lambda x: keras.ops.sum(x * x * used), inputs, [used, unused])
    np.testing.assert_allclose(of_variables[0], [25, 49])
    np.testing.assert_allclose(of_variables[1], [0])
    np.testing.assert_allclose(of_inputs, [20, 42])


def test_an_unsupported_backend_is_refused(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ConfigError, match="gradients need Keras on tensorflow or torch, not jax"):
        gradients_of(keras.ops.sum, np.zeros(2, np.float32), [])
