"""Trains a network epoch by epoch, on one device or on all devices of a cluster.

Keras 3's own `fit` trains on one device only: under MultiWorkerMirroredStrategy it fails before its first
batch (keras-team/keras issue 20585), and under MirroredStrategy its means are wrong where a batch does not
divide evenly. All strategies therefore share one step here, with the network's own loss and optimizer.
"""

from __future__ import annotations

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
from train.progress import DISPLAY, tracked

_Floats = npt.NDArray[np.float32]
_BATCHES = "batches"


@dataclass(frozen=True)
class Epoch:
    """One pass over the training rows, in the order in which they are trained.

    Attributes:
        number: index of the epoch, from 0.
        images: (N, size, size, 1) uint8.
        targets: (N, ...), what the loss compares the outputs with.
        weights: (N,) float32, the weight of each row in the loss; None for 1.
        batch_size: number of rows in a step, over all replicas.
    """

    number: int
    images: Gray
    targets: npt.NDArray[np.floating[Any]]
    weights: _Floats | None
    batch_size: int


@dataclass(frozen=True)
class Progress:
    """Loss and accuracy of a pass, on its own images and while the weights still moved.

    Attributes:
        loss: mean over all rows.
        accuracy: share of rows whose highest logit is that of the highest target, 0 to 1; None for a network
            that was compiled without this metric.
    """

    loss: float
    accuracy: float | None

    def to_dict(self) -> dict[str, float]:
        """Returns the figures that there are."""
        return {"loss": self.loss, **({} if self.accuracy is None else {"accuracy": self.accuracy})}


class Trainer:
    """Trains a network, epoch by epoch, on the devices of a cluster.

    Each replica normalizes by the mean and deviation of the whole batch instead of its own share: a share is
    small, and the result would differ from a single worker's.
    """

    def __init__(self, cluster: Cluster, model: keras.Model) -> None:
        """Takes a network that was built, and compiled with one loss, in `cluster.scope`."""
        self._cluster, self._model = cluster, model
        self._copy: keras.Model | None = None
        self._step: Callable[[Any], Any] | None = None

    def train(self, epoch: Epoch) -> Progress:
        """Trains one pass; every worker receives the same arrays and uses its share of each batch.

        Raises:
            EdgeError: another worker is gone.
        """
        if self._cluster.strategy is None:
            return self._fit(epoch)
        if self._step is None:
            self._step = _step(self._cluster, self._model)
        sizes, results = [], []
        with self._cluster.lost_worker_errors(), _whole_batch_statistics(self._model):
            for start in tracked(range(0, len(epoch.images), epoch.batch_size), "", _BATCHES):
                rows = slice(start, min(start + epoch.batch_size, len(epoch.images)))
                results.append(self._step(_shares(self._cluster, epoch, rows)))
                sizes.append(rows.stop - start)
            steps = np.array([result.numpy() for result in results], dtype=np.float64)  # (steps, 2)
        count = len(epoch.images)
        correct = float(steps[:, 1].sum()) / count if _has_accuracy(self._model) else None
        return Progress(float(np.dot(sizes, steps[:, 0])) / count, correct)

    def local(self) -> keras.Model:
        """Returns the network with its present weights, for use in this process alone, such as predicting."""
        if self._cluster.strategy is None:
            return self._model
        if self._copy is None:
            self._copy = keras.models.clone_model(self._model)
        self._copy.set_weights(self._model.get_weights())
        return self._copy

    def _fit(self, epoch: Epoch) -> Progress:
        batches = -(-len(epoch.images) // epoch.batch_size)
        with _raw_weights(self._model.optimizer), DISPLAY.phase("", _BATCHES, batches) as phase:
            history = self._model.fit(
                **keras_inputs(epoch.batch_size, epoch.images, epoch.targets, epoch.weights),
                initial_epoch=epoch.number,
                epochs=epoch.number + 1,
                shuffle=False,
                verbose=0,
                callbacks=[
                    keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: phase.advance())
                ],
            ).history
        return Progress(history["loss"][0], history["accuracy"][0] if _has_accuracy(self._model) else None)


def _has_accuracy(model: keras.Model) -> bool:
    """Returns whether a network was compiled with the metric "accuracy"; otherwise it has no metric."""
    return bool(model.get_compile_config()["metrics"])


def _step(cluster: Cluster, model: keras.Model) -> Callable[[Any], Any]:
    """Makes the step of all replicas. It returns (mean loss of the batch, number of correct rows)."""
    import tensorflow as tf

    variables, optimizer = model.trainable_variables, model.optimizer
    has_accuracy = _has_accuracy(model)

    def replica(images: Any, targets: Any, weights: Any, counts: Any) -> Any:
        with tf.GradientTape() as tape:
            logits = model(images, training=True)
            loss = model.compute_loss(images, targets, logits, weights, training=True)
            scaled = optimizer.scale_loss(loss)
        optimizer.apply_gradients(zip(tape.gradient(scaled, variables), variables, strict=True))
        correct = tf.zeros_like(counts)
        if has_accuracy:
            correct = tf.cast(tf.argmax(logits, -1) == tf.argmax(targets, -1), tf.float32)
        result = tf.stack([tf.cast(loss, tf.float32), tf.reduce_sum(counts * correct)])
        return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, result)

    @tf.function  # type: ignore[untyped-decorator]
    def step(shares: Any) -> Any:
        return cluster.strategy.experimental_local_results(cluster.strategy.run(replica, args=shares))[0]

    return step  # type: ignore[no-any-return]


def _shares(cluster: Cluster, epoch: Epoch, rows: slice) -> Any:
    """Returns each local replica's share of a batch: images, targets, weights, and how much each row counts.

    Keras divides a replica's loss by the number of its rows and by the number of replicas: the weights undo
    this and divide by the number of rows in the whole batch. A batch with fewer rows than there are replicas
    goes to each replica as a whole.
    """
    import tensorflow as tf

    size, replicas = rows.stop - rows.start, cluster.replicas

    def share(context: Any) -> Any:
        index = context.replica_id_in_sync_group
        first, end = (
            (0, size) if size < replicas else (index * size // replicas, (index + 1) * size // replicas)
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
    """Keeps Keras from replacing the weights by their running mean at the end of each `fit`.

    Keras takes the end of `fit` for the end of training; here it is the end of an epoch.
    """
    optimizer.finalize_variable_values = lambda _: None
    try:
        yield
    finally:
        del optimizer.finalize_variable_values


@contextmanager
def _whole_batch_statistics(model: keras.Model) -> Iterator[None]:
    """Lets batch normalization use all replicas while a step is traced; saved models are not affected."""
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
