"""Prepares the next epoch's images in another process while the network trains on the current ones."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context, parent_process

from edge.errors import DataError
from edge.types import Gray
from train.augment import epoch_images, plain_images
from train.data import Dataset
from train.recipes.recipe import Recipe


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
    context = get_context("spawn")  # TensorFlow's threads do not survive a fork
    with ProcessPoolExecutor(1, context, initializer=_start_worker, initargs=(data, recipe)) as pool:

        def epochs() -> Iterator[tuple[int, Gray]]:
            upcoming: Future[Gray] | None = None
            for epoch in range(first, recipe.epochs):
                images = (upcoming or pool.submit(_prepare, epoch)).result()
                upcoming = pool.submit(_prepare, epoch + 1) if epoch + 1 < recipe.epochs else None
                yield epoch, images

        try:
            yield epochs()
        finally:
            pool.shutdown(cancel_futures=True)


_worker_input: tuple[Dataset, Recipe] | None = None


def _start_worker(data: Dataset, recipe: Recipe) -> None:
    """Hands the data to the worker process once instead of once an epoch."""
    global _worker_input  # noqa: PLW0603 - a pool's process has no other place to keep it
    _worker_input = (data, recipe)
    threading.Thread(target=_exit_with_parent, daemon=True).start()


def _exit_with_parent() -> None:
    """Ends the worker process with its parent: it would wait for work for ever if the parent was killed."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _prepare(epoch: int) -> Gray:
    if _worker_input is None:
        raise DataError("the augmenting process has no images")
    data, recipe = _worker_input
    if recipe.augmentation is None:
        return plain_images(data, recipe.crop)
    return epoch_images(data, recipe.crop, recipe.augmentation, recipe.seed * 100_003 + epoch)
