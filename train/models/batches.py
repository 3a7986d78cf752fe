"""How arrays reach Keras' `fit` and `predict` without waiting for the pipeline to end."""

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
    """What `fit` or `predict` is called with, to read rows in their order, batch by batch.

    On TensorFlow, Keras' own pipeline tunes itself in a thread that naps for 10 ms, then for twice as long
    each time, and the end of the pipeline waits for the end of the nap: a pass takes until the next power of
    two, 41 s where 28 s were worked. There is nothing to tune in the reading of an array, so here it is off.

    Args:
        batch_size: rows of a batch.
        images: (N, ...).
        targets: (N, ...); None where there are none, to predict.
        weights: (N,) weight of each row in the loss; None for 1.

    Returns:
        The call's arguments by name.
    """
    if keras.backend.backend() != "tensorflow":
        return {"x": images, "batch_size": batch_size} | (
            {} if targets is None else {"y": targets, "sample_weight": weights}
        )
    import tensorflow as tf

    options = tf.data.Options()
    options.autotune.enabled = False
    parts = tuple(part for part in (images, targets, weights) if part is not None)
    rows = tf.data.Dataset.from_tensor_slices(parts)
    return {"x": rows.batch(batch_size).prefetch(2).with_options(options)}
