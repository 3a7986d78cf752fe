"""Training on several GPUs or several workers, by TensorFlow's own distribution strategies.

Each replica holds a copy of the network and works on its share of each batch; gradients are summed. Batches,
their order and the mean over each are those of a single worker. So is the result, except for the rounding of
sums that are computed in another order.
"""

from __future__ import annotations

import logging
import os
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import keras
import numpy as np
import numpy.typing as npt

from edge.errors import ConfigError, EdgeError
from train.distributed.rendezvous import parse_tf_config, rendezvous

StrategyName = Literal["auto", "none", "mirrored", "workers"]


@dataclass(frozen=True)
class Cluster:
    """The processes and devices that train one network together; `distributed` connects them.

    Attributes:
        strategy: a `tf.distribute.Strategy`; None for training on one device.
        workers: number of processes.
        index: index of this process, from 0; the chief's is 0.
        scratch: folder into which workers other than the chief write their files; None for the chief.
    """

    strategy: Any = None
    workers: int = 1
    index: int = 0
    scratch: Path | None = None

    @property
    def replicas(self) -> int:
        """The number of copies of the network that share each batch."""
        return 1 if self.strategy is None else int(self.strategy.num_replicas_in_sync)

    @property
    def is_chief(self) -> bool:
        """Whether this worker's files are the run's."""
        return self.index == 0

    def scope(self) -> AbstractContextManager[object]:
        """Returns the context in which the network and its optimizer must be built."""
        return nullcontext() if self.strategy is None else self.strategy.scope()

    def output_folder(self, folder: Path) -> Path:
        """Returns the folder that this worker writes: the same for the chief, else one in `scratch`."""
        return folder if self.scratch is None else self.scratch / folder.name

    def broadcast_weights(self, model: keras.Model) -> None:
        """Copies the chief's weights and optimizer state to every worker.

        Raises:
            EdgeError: another worker is gone.
        """
        if self.workers == 1:
            return
        variables = [*model.variables, *model.optimizer.variables]
        arrays = [np.asarray(variable.numpy()) for variable in variables]
        # float64 holds all of their values exactly, including counters and seeds.
        chiefs = self._broadcast(np.concatenate([array.ravel() for array in arrays], dtype=np.float64))
        ends = np.cumsum([array.size for array in arrays])[:-1]
        for variable, array, values in zip(variables, arrays, np.split(chiefs, ends), strict=True):
            variable.assign(values.reshape(array.shape).astype(array.dtype))

    def broadcast_flag(self, flag: bool) -> bool:
        """Returns the chief's value of a flag in every worker.

        Raises:
            EdgeError: another worker is gone.
        """
        return flag if self.workers == 1 else bool(self._broadcast(np.array([float(flag)]))[0])

    def barrier(self) -> None:
        """Waits until all workers have reached this call.

        Raises:
            EdgeError: another worker is gone.
        """
        if self.workers > 1:
            self._broadcast(np.zeros(1))

    @contextmanager
    def lost_worker_errors(self) -> Iterator[None]:
        """Turns TensorFlow's errors about a lost worker into one of a single line.

        Raises:
            EdgeError: another worker is gone.
        """
        if self.workers == 1:
            yield
            return
        import tensorflow as tf

        lost_worker = (
            *(tf.errors.UnavailableError, tf.errors.DeadlineExceededError, tf.errors.AbortedError),
            *(tf.errors.CancelledError, tf.errors.FailedPreconditionError, tf.errors.InternalError),
        )
        try:
            yield
        except lost_worker as error:
            _, marker, reason = error.message.partition("aborted by: ")
            reason = (reason if marker else error.message).strip().split("\n")[0].split(". ")[0]
            raise EdgeError(
                f"worker {self.index} of {self.workers}: another worker is gone or hangs ({reason}); "
                "start all workers again to resume the run after its last finished epoch"
            ) from error

    def _broadcast(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Returns the chief's values in every worker; the shape must be the same in all of them."""
        import tensorflow as tf

        def term(context: Any) -> Any:
            return tf.constant(values if context.replica_id_in_sync_group == 0 else np.zeros_like(values))

        def sum_terms(part: Any) -> Any:
            # A function's argument is on no device yet, and the sum is computed on the devices of its terms.
            part = tf.identity(part)
            return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, part)

        @tf.function  # type: ignore[untyped-decorator]
        def sum_over_workers(terms: Any) -> Any:
            return self.strategy.experimental_local_results(self.strategy.run(sum_terms, args=(terms,)))[0]

        with self.lost_worker_errors():
            total = sum_over_workers(self.strategy.experimental_distribute_values_from_function(term))
            return np.asarray(total.numpy(), dtype=np.float64)


@contextmanager
def distributed(
    name: StrategyName, connect_timeout_s: float = 600.0, heartbeat_timeout_s: float = 60.0
) -> Iterator[Cluster]:
    """Connects the processes and devices that train together, before TensorFlow has computed anything.

    Args:
        name: "none" trains on one device, "mirrored" on all GPUs of this machine (on all logical CPUs if it
            has none), "workers" with the other processes that TF_CONFIG names; "auto" see `choose_strategy`.
        connect_timeout_s: longest time to wait for other workers, seconds.
        heartbeat_timeout_s: seconds without an answer after which a worker counts as lost. TensorFlow's own
            10 are too few if there are more busy processes than cores.

    Yields:
        The cluster.

    Raises:
        ConfigError: there is only one device; TF_CONFIG is wrong; this worker's port is in use.
        EdgeError: another worker did not connect, or is gone.
    """
    text = os.environ.get("TF_CONFIG")
    chosen = choose_strategy(name, keras.backend.backend(), text, _count_gpus)
    if chosen == "none":
        yield Cluster()
        return
    logging.getLogger("tensorflow").setLevel(logging.WARNING)  # it logs every sum
    if chosen == "mirrored":
        yield Cluster(_mirrored())
    else:
        worker = parse_tf_config(text)
        rendezvous(worker, connect_timeout_s)
        with tempfile.TemporaryDirectory(prefix="train-worker-") as folder:
            scratch = Path(folder) if worker.index else None
            strategy = _connect_workers(heartbeat_timeout_s)
            cluster = Cluster(strategy, len(worker.addresses), worker.index, scratch)
            yield cluster
            # The chief coordinates the workers: if it ended first, the others would take it for dead.
            cluster.barrier()


def choose_strategy(
    name: str, backend: str, tf_config: str | None, count_gpus: Callable[[], int]
) -> Literal["none", "mirrored", "workers"]:
    """Returns the strategy that a name stands for on this machine.

    Args:
        name: one of `StrategyName`; "auto" is "workers" if TF_CONFIG is set, "mirrored" with two GPUs or
            more, else "none".
        backend: Keras' backend.
        tf_config: value of the environment variable TF_CONFIG.
        count_gpus: counts the GPUs; called only if their number matters, since this starts TensorFlow.

    Raises:
        ConfigError: there is no such strategy, or the backend does not support it.
    """
    if name not in get_args(StrategyName):
        raise ConfigError(f"strategy {name!r}, expected one of {', '.join(get_args(StrategyName))}")
    if name == "none":
        return "none"
    if backend != "tensorflow":
        # A worker that trained by itself would overwrite the others' files.
        if name == "auto" and not tf_config:
            return "none"
        raise ConfigError(
            f"strategy {name}: only TensorFlow can distribute, and Keras' backend is {backend}; "
            "set KERAS_BACKEND=tensorflow, or name the strategy none"
        )
    if name == "auto":
        if tf_config:
            return "workers"
        return "mirrored" if count_gpus() > 1 else "none"
    return "workers" if name == "workers" else "mirrored"


def _count_gpus() -> int:
    import tensorflow as tf

    return len(tf.config.list_physical_devices("GPU"))


def _mirrored() -> Any:
    import tensorflow as tf

    devices = [device.name for device in tf.config.list_logical_devices("GPU" if _count_gpus() else "CPU")]
    if len(devices) < 2:
        raise ConfigError(f"strategy mirrored: {devices[0]} is the only device, expected two GPUs or more")
    return tf.distribute.MirroredStrategy(devices)


def _connect_workers(heartbeat_timeout_s: float) -> Any:
    import tensorflow as tf
    from tensorflow.python.distribute.multi_worker_util import coordination_leader
    from tensorflow.python.eager import context

    try:
        from tensorflow.compiler.xla.tsl.protobuf.coordination_config_pb2 import CoordinatedJob
    except ImportError:  # before TensorFlow 2.21
        from tensorflow.tsl.protobuf.coordination_config_pb2 import CoordinatedJob

    spec = tf.distribute.cluster_resolver.TFConfigClusterResolver().cluster_spec()
    try:
        # The strategy would do this by itself, but with TensorFlow's own heartbeat timeout.
        context.context().configure_coordination_service(
            "standalone",
            coordination_leader(spec),
            heartbeat_timeout_in_ms=round(1000 * heartbeat_timeout_s),
            coordinated_jobs=[CoordinatedJob(name=job, num_tasks=spec.num_tasks(job)) for job in spec.jobs],
        )
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
    except tf.errors.OpError as error:
        reason = error.message.strip().split("\n")[0]
        raise EdgeError(f"TensorFlow cannot connect the workers of TF_CONFIG: {reason}") from error
    except RuntimeError as error:
        raise ConfigError(f"workers must be connected before anything else: {error}") from error
    # TensorFlow takes SIGTERM for a notice that the machine will be preempted, and keeps running. Its handler
    # is replaced by the one that Python has on record, which TensorFlow does not change.
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGTERM) or signal.SIG_DFL)
    return strategy
