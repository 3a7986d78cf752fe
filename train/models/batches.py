"""Passes arrays to Keras' `fit` and `predict` without a delay at the end of each pass."""

from __future__ import annotations

from typing import Any

import keras
import numpy.typing as npt


def keras_inputs(
    batch_size: int,
    images: npt.NDArray[Any],
    targets: npt.NDArray[Any] | None = None,
    weights: npt.NDArray[Any] | None = None,
) -> dict[str, Any]:
    """Returns the keyword arguments with which `fit` or `predict` reads rows in order, batch by batch.

    On TensorFlow, Keras' own pipeline tunes itself in a thread that sleeps for 10 ms, then twice as long each
    time, and a pass ends only when the thread wakes up: 41 s were measured for 28 s of work. There is nothing
    to tune in reading an array, so tuning is switched off.

    Args:
        batch_size: rows per batch.
        images: (N, ...) inputs.
        targets: (N, ...) targets; None to predict.
        weights: (N,) weight of each row in the loss; None means 1 for all.
    """
    if keras.backend.backend() != "tensorflow":
        return {"x": images, "batch_size": batch_size} | (
            {} if targets is None else {"y": targets, "sample_weight": weights}
        )
    import tensorflow as tf

    options = tf.data.Options()
    options.autotune.enabled = False
    arrays = tuple(array for array in (images, targets, weights) if array is not None)
    rows = tf.data.Dataset.from_tensor_slices(arrays)
    return {"x": rows.batch(batch_size).prefetch(2).with_options(options)}
