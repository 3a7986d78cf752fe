"""Prepares what is trained next in other processes while the network trains on the current images."""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import islice
from multiprocessing import active_children, get_context, parent_process
from typing import Any, TypeVar

from edge.errors import DataError
from edge.types import Gray
from train.augment import epoch_crops, even, spoil
from train.data import Dataset
from train.recipes.recipe import Recipe

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")


@contextmanager
def prefetched(
    compute: Callable[[_Task], _Result], tasks: Iterable[_Task], workers: int = 1, ahead: int = 1
) -> Iterator[Iterator[_Result]]:
    """Opens an iterator over the results of tasks, which other processes compute in advance.

    Args:
        compute: a function that can be pickled; each process receives it once.
        tasks: the tasks.
        workers: number of processes.
        ahead: number of tasks that are begun before their results are asked for.

    Yields:
        An iterator over the results, in the order of the tasks.
    """
    context = get_context("spawn")  # TensorFlow's threads do not survive a fork
    with ProcessPoolExecutor(workers, context, initializer=_start_worker, initargs=(compute,)) as pool:

        def results() -> Iterator[_Result]:
            remaining = iter(tasks)
            upcoming: deque[Future[_Result]] = deque()
            upcoming.extend(pool.submit(_work, task) for task in islice(remaining, 1))
            while upcoming:
                result = upcoming.popleft().result()
                upcoming.extend(pool.submit(_work, task) for task in islice(remaining, ahead - len(upcoming)))
                yield result

        try:
            yield results()
        except KeyboardInterrupt:
            # An epoch's images take up to a minute, for which nobody who stops a run wants to wait. They are
            # killed, since SIGTERM is ignored where the program that started this one ignores it.
            for process in active_children():
                process.kill()
            raise
        finally:
            pool.shutdown(cancel_futures=True)


@contextmanager
def prefetched_epochs(data: Dataset, recipe: Recipe, first: int) -> Iterator[Iterator[tuple[int, Gray]]]:
    """Opens an iterator over the images of each epoch, which are prepared one epoch ahead.

    Args:
        data: N rows.
        recipe: size, framing, augmentation, seed and number of epochs. An epoch's images depend only on these
            and on its index.
        first: index of the first epoch.

    Yields:
        An iterator over (index of the epoch, (N, size, size) uint8).
    """
    epochs = range(first, recipe.epochs)
    with prefetched(partial(_prepare, data, recipe), epochs) as images:
        yield zip(epochs, images, strict=True)


_compute: Callable[[Any], Any] | None = None


def _start_worker(compute: Callable[[Any], Any]) -> None:
    """Hands the data to a worker process once instead of with every task."""
    global _compute  # noqa: PLW0603 - a pool's process has no other place to keep it
    _compute = compute
    # Ctrl-C reaches all processes of a terminal: the parent, which says so in a line, ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_exit_with_parent, daemon=True).start()


def _exit_with_parent() -> None:
    """Ends the worker process with its parent: it would wait for work for ever if the parent was killed."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(task: Any) -> Any:
    if _compute is None:
        raise DataError("the preparing process has no data")
    return _compute(task)


def _prepare(data: Dataset, recipe: Recipe, epoch: int) -> Gray:
    seed = recipe.seed * 100_003 + epoch
    crops = epoch_crops(data, recipe.crop, recipe.augmentation, seed)
    return even(crops if recipe.spoiling is None else spoil(crops, recipe.spoiling, seed))
