"""One training on several GPUs or several workers, by TensorFlow's own distribution strategies.

Every replica holds a copy of the network and works on its share of each batch; gradients are summed. Batches,
their order and the mean over each are those of a single worker, and so is the result, but for the rounding of
sums that are made in another order.
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
from train.distributed.rendezvous import parse_place, rendezvous

StrategyName = Literal["auto", "none", "mirrored", "workers"]


@dataclass(frozen=True)
class Cluster:
    """What trains one network together; `distributed` makes it.

    Attributes:
        strategy: a `tf.distribute.Strategy`; None for plain training.
        workers: number of processes.
        index: which of them this one is, from 0.
        scratch: where all but the chief put what they write; None for the chief.
    """

    strategy: Any = None
    workers: int = 1
    index: int = 0
    scratch: Path | None = None

    @property
    def replicas(self) -> int:
        """Number of copies of the network that share each batch."""
        return 1 if self.strategy is None else int(self.strategy.num_replicas_in_sync)

    @property
    def is_chief(self) -> bool:
        """Whether this worker's files are the run's."""
        return self.index == 0

    def scope(self) -> AbstractContextManager[object]:
        """Within it the network is built and compiled, and its optimizer is built."""
        return nullcontext() if self.strategy is None else self.strategy.scope()

    def own(self, folder: Path) -> Path:
        """Where this worker writes what belongs into a folder: there if it is the chief, else elsewhere."""
        return folder if self.scratch is None else self.scratch / folder.name

    def share(self, model: keras.Model) -> None:
        """Gives every worker the chief's weights and the state of the chief's optimizer.

        Raises:
            EdgeError: another worker is gone.
        """
        if self.workers == 1:
            return
        variables = [*model.variables, *model.optimizer.variables]
        held = [np.asarray(variable.numpy()) for variable in variables]
        # float64 holds each of their values exactly, counters and seeds too.
        shared = self._of_chief(np.concatenate([array.ravel() for array in held], dtype=np.float64))
        ends = np.cumsum([array.size for array in held])[:-1]
        for variable, array, values in zip(variables, held, np.split(shared, ends), strict=True):
            variable.assign(values.reshape(array.shape).astype(array.dtype))

    def chief_says(self, here: bool) -> bool:
        """What the chief finds, in every worker; alone, what is found here.

        Raises:
            EdgeError: another worker is gone.
        """
        return here if self.workers == 1 else bool(self._of_chief(np.array([float(here)]))[0])

    def wait(self) -> None:
        """Returns when all workers have come this far.

        Raises:
            EdgeError: another worker is gone.
        """
        if self.workers > 1:
            self._of_chief(np.zeros(1))

    @contextmanager
    def together(self) -> Iterator[None]:
        """Says in one line that another worker is gone, wherever TensorFlow comes upon it.

        Raises:
            EdgeError: so it is.
        """
        if self.workers == 1:
            yield
            return
        import tensorflow as tf

        gone = (
            *(tf.errors.UnavailableError, tf.errors.DeadlineExceededError, tf.errors.AbortedError),
            *(tf.errors.CancelledError, tf.errors.FailedPreconditionError, tf.errors.InternalError),
        )
        try:
            yield
        except gone as error:
            _, marker, reason = error.message.partition("aborted by: ")
            reason = (reason if marker else error.message).strip().split("\n")[0].split(". ")[0]
            raise EdgeError(
                f"worker {self.index} of {self.workers}: another worker is gone or hangs ({reason}); "
                "start all again, and the run goes on from its last finished epoch"
            ) from error

    def _of_chief(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The chief's values, of the same shape in every worker."""
        import tensorflow as tf

        def mine(context: Any) -> Any:
            return tf.constant(values if context.replica_id_in_sync_group == 0 else np.zeros_like(values))

        def summed(part: Any) -> Any:
            # A function's argument lies on no device yet, and the sum is made where its parts lie.
            part = tf.identity(part)
            return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, part)

        @tf.function  # type: ignore[untyped-decorator]
        def of_all(parts: Any) -> Any:
            return self.strategy.experimental_local_results(self.strategy.run(summed, args=(parts,)))[0]

        with self.together():
            found = of_all(self.strategy.experimental_distribute_values_from_function(mine))
            return np.asarray(found.numpy(), dtype=np.float64)


@contextmanager
def distributed(name: StrategyName, within_s: float = 600.0, silence_s: float = 60.0) -> Iterator[Cluster]:
    """Connects what trains together. TensorFlow must not have computed anything before.

    Args:
        name: "none" trains on one device, "mirrored" on all GPUs of this machine (on all logical CPUs if it
            has none), "workers" with the other processes that TF_CONFIG names, "auto" as `choose` says.
        within_s: seconds to wait for other workers at most.
        silence_s: seconds after which a worker that no longer answers is given up. TensorFlow's own 10 are
            too few where more processes want to run than there are cores.

    Yields:
        The cluster.

    Raises:
        ConfigError: there is nothing to distribute over; TF_CONFIG is wrong; this worker's port is in use.
        EdgeError: another worker did not come, or is gone.
    """
    text = os.environ.get("TF_CONFIG")
    chosen = choose(name, keras.backend.backend(), text, _gpus)
    if chosen == "none":
        yield Cluster()
        return
    logging.getLogger("tensorflow").setLevel(logging.WARNING)  # it tells of every sum that it makes
    if chosen == "mirrored":
        yield Cluster(_mirrored())
    else:
        place = parse_place(text)
        rendezvous(place, within_s)
        with tempfile.TemporaryDirectory(prefix="train-worker-") as scratch:
            workers = len(place.addresses)
            cluster = Cluster(
                _connected(silence_s), workers, place.index, Path(scratch) if place.index else None
            )
            yield cluster
            # The chief coordinates: were it to end first, the others would take it for dead.
            cluster.wait()


def choose(
    name: str, backend: str, tf_config: str | None, gpus: Callable[[], int]
) -> Literal["none", "mirrored", "workers"]:
    """What a name stands for here.

    Args:
        name: one of `StrategyName`; "auto" is "workers" where TF_CONFIG is set, "mirrored" with two GPUs or
            more, else "none".
        backend: Keras'.
        tf_config: the environment variable.
        gpus: counts the GPUs; asked only where it matters, for it starts TensorFlow.

    Raises:
        ConfigError: no such name; the backend cannot do it.
    """
    if name not in get_args(StrategyName):
        raise ConfigError(f"strategy {name!r}, expected one of {', '.join(get_args(StrategyName))}")
    if name == "none":
        return "none"
    if backend != "tensorflow":
        # A worker that trained for itself would write over the others' files.
        if name == "auto" and not tf_config:
            return "none"
        raise ConfigError(
            f"strategy {name}: only TensorFlow can distribute, and Keras' backend is {backend}; "
            "set KERAS_BACKEND=tensorflow, or name the strategy none"
        )
    if name == "auto":
        if tf_config:
            return "workers"
        return "mirrored" if gpus() > 1 else "none"
    return "workers" if name == "workers" else "mirrored"


def _gpus() -> int:
    import tensorflow as tf

    return len(tf.config.list_physical_devices("GPU"))


def _mirrored() -> Any:
    import tensorflow as tf

    devices = [device.name for device in tf.config.list_logical_devices("GPU" if _gpus() else "CPU")]
    if len(devices) < 2:
        raise ConfigError(f"strategy mirrored: {devices[0]} is alone, expected two GPUs or more")
    return tf.distribute.MirroredStrategy(devices)


def _connected(silence_s: float) -> Any:
    import tensorflow as tf
    from tensorflow.python.distribute.multi_worker_util import coordination_leader
    from tensorflow.python.eager import context
    from tensorflow.tsl.protobuf.coordination_config_pb2 import CoordinatedJob

    spec = tf.distribute.cluster_resolver.TFConfigClusterResolver().cluster_spec()
    try:
        # What the strategy does for itself otherwise, with no way to say how long a silence may be.
        context.context().configure_coordination_service(
            "standalone",
            coordination_leader(spec),
            heartbeat_timeout_in_ms=round(1000 * silence_s),
            coordinated_jobs=[CoordinatedJob(name=job, num_tasks=spec.num_tasks(job)) for job in spec.jobs],
        )
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
    except tf.errors.OpError as error:
        reason = error.message.strip().split("\n")[0]
        raise EdgeError(f"TensorFlow cannot connect the workers of TF_CONFIG: {reason}") from error
    except RuntimeError as error:
        raise ConfigError(f"workers must be connected before anything else: {error}") from error
    # TensorFlow takes SIGTERM for the notice of a machine that will go, and would not end. None stands for a
    # handler that is not Python's.
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    return strategy
