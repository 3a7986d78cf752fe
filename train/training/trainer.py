"""Trains a network epoch by epoch, on one device or on all that a cluster has.

Keras 3's own `fit` cannot do the latter: under MultiWorkerMirroredStrategy it fails before its first batch
(keras-team/keras issue 20585), and under MirroredStrategy its means are wrong where a batch does not divide
evenly. So all strategies share one step here, with the network's own loss and optimizer.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from edge.types import Gray
from train.distributed.strategy import Cluster
from train.models.batches import keras_inputs

_Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Epoch:
    """What one pass over the training rows is made of, in its order.

    Attributes:
        number: from 0.
        images: (N, size, size, 1) uint8.
        targets: (N, C), each row summing to 1.
        weights: (N,) weight of each row in the loss; None for 1.
        batch_size: rows of a step, over all replicas.
    """

    number: int
    images: Gray
    targets: _Floats
    weights: _Floats | None
    batch_size: int


@dataclass(frozen=True)
class Progress:
    """What a pass showed, on its own pictures and while the weights still moved.

    Attributes:
        loss: mean over all rows.
        accuracy: share of rows whose highest logit is that of the highest target, 0 to 1.
    """

    loss: float
    accuracy: float


class Trainer:
    """Trains a network, epoch by epoch, on whatever a cluster has.

    A replica normalizes by mean and deviation of the whole batch, not of its share: a share is small, and the
    result would be another than a single worker's.
    """

    def __init__(self, cluster: Cluster, model: keras.Model) -> None:
        """Takes a network that was built, and compiled with one loss, in `cluster.scope`."""
        self._cluster, self._model = cluster, model
        self._copy: keras.Model | None = None
        self._step: Callable[[Any], Any] | None = None

    def train(self, epoch: Epoch) -> Progress:
        """One pass over the rows; every worker is given the same arrays, and uses its share of each batch.

        Raises:
            EdgeError: another worker is gone.
        """
        if self._cluster.strategy is None:
            return self._fit(epoch)
        if self._step is None:
            self._step = _step(self._cluster, self._model)
        sizes, sums = [], []
        with self._cluster.together(), _whole_batch_statistics(self._model):
            for start in range(0, len(epoch.images), epoch.batch_size):
                rows = slice(start, min(start + epoch.batch_size, len(epoch.images)))
                sums.append(self._step(_shares(self._cluster, epoch, rows)))
                sizes.append(rows.stop - start)
            found = np.array([each.numpy() for each in sums], dtype=np.float64)  # (steps, 2)
        count = len(epoch.images)
        return Progress(float(np.dot(sizes, found[:, 0])) / count, float(found[:, 1].sum()) / count)

    def local(self) -> keras.Model:
        """The network with its present weights, for use in this process alone: to predict, say."""
        if self._cluster.strategy is None:
            return self._model
        if self._copy is None:
            self._copy = keras.models.clone_model(self._model)
        self._copy.set_weights(self._model.get_weights())
        return self._copy

    def _fit(self, epoch: Epoch) -> Progress:
        with _raw_weights(self._model.optimizer):
            history = self._model.fit(
                **keras_inputs(epoch.batch_size, epoch.images, epoch.targets, epoch.weights),
                initial_epoch=epoch.number,
                epochs=epoch.number + 1,
                shuffle=False,
                verbose=1 if sys.stdout.isatty() else 0,
            ).history
        return Progress(history["loss"][0], history["accuracy"][0])


def _step(cluster: Cluster, model: keras.Model) -> Callable[[Any], Any]:
    """One step of all replicas: [mean loss of the batch, number of rows that were right], float32."""
    import tensorflow as tf

    variables, optimizer = model.trainable_variables, model.optimizer

    def replica(images: Any, targets: Any, weights: Any, counts: Any) -> Any:
        with tf.GradientTape() as tape:
            logits = model(images, training=True)
            loss = model.compute_loss(images, targets, logits, weights, training=True)
            scaled = optimizer.scale_loss(loss)
        optimizer.apply_gradients(zip(tape.gradient(scaled, variables), variables, strict=True))
        right = tf.cast(tf.argmax(logits, -1) == tf.argmax(targets, -1), tf.float32)
        found = tf.stack([tf.cast(loss, tf.float32), tf.reduce_sum(counts * right)])
        return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, found)

    @tf.function  # type: ignore[untyped-decorator]
    def step(shares: Any) -> Any:
        return cluster.strategy.experimental_local_results(cluster.strategy.run(replica, args=shares))[0]

    return step  # type: ignore[no-any-return]


def _shares(cluster: Cluster, epoch: Epoch, rows: slice) -> Any:
    """What each replica here is given of a batch: images, targets, weights, and what a row counts for.

    Keras divides a replica's loss by its rows and by the number of replicas: the weights undo this, and
    divide by the rows of the whole batch. A batch of fewer rows than replicas goes to each of them whole.
    """
    import tensorflow as tf

    size, replicas = rows.stop - rows.start, cluster.replicas

    def share(context: Any) -> Any:
        number = context.replica_id_in_sync_group
        first, end = (
            (0, size) if size < replicas else (number * size // replicas, (number + 1) * size // replicas)
        )
        part = slice(rows.start + first, rows.start + end)
        count = np.full(end - first, 1 / replicas if size < replicas else 1, dtype=np.float32)
        weights = count * ((end - first) * replicas / size)
        if epoch.weights is not None:
            weights = weights * epoch.weights[part]
        return tuple(
            tf.constant(values)
            for values in (epoch.images[part], epoch.targets[part], weights.astype(np.float32), count)
        )

    return cluster.strategy.experimental_distribute_values_from_function(share)


@contextmanager
def _raw_weights(optimizer: Any) -> Iterator[None]:
    """Keeps Keras from putting the running mean in the weights' place at the end of each `fit`.

    It takes that for the end of training; here it is the end of an epoch.
    """
    optimizer.finalize_variable_values = lambda _: None
    try:
        yield
    finally:
        del optimizer.finalize_variable_values


@contextmanager
def _whole_batch_statistics(model: keras.Model) -> Iterator[None]:
    """Normalization over all replicas while a step is traced; what is saved says nothing of it."""
    layers = [
        layer
        for layer in model._flatten_layers(include_self=False)  # nested networks too
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    before = [layer.synchronized for layer in layers]
    for layer in layers:
        layer.synchronized = True
    try:
        yield
    finally:
        for layer, value in zip(layers, before, strict=True):
            layer.synchronized = value
