"""Makes the next epoch's pictures in another process while the network trains on this one's."""

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
    """The pictures of each epoch, one epoch ahead of their use.

    Args:
        data: N rows.
        recipe: size, framing, augmentation, seed and number of epochs: an epoch's pictures are a function
            of these and its number alone.
        first: number of the first epoch that is wanted.

    Yields:
        (number, (N, size, size) uint8) of each epoch in turn.
    """
    context = get_context("spawn")  # TensorFlow's threads do not survive a fork
    with ProcessPoolExecutor(1, context, initializer=_adopt, initargs=(data, recipe)) as pool:

        def made() -> Iterator[tuple[int, Gray]]:
            ahead: Future[Gray] | None = None
            for epoch in range(first, recipe.epochs):
                images = (ahead or pool.submit(_make, epoch)).result()
                ahead = pool.submit(_make, epoch + 1) if epoch + 1 < recipe.epochs else None
                yield epoch, images

        try:
            yield made()
        finally:
            pool.shutdown(cancel_futures=True)


_adopted: tuple[Dataset, Recipe] | None = None


def _adopt(data: Dataset, recipe: Recipe) -> None:
    """Hands the process its pictures once instead of once an epoch."""
    global _adopted  # noqa: PLW0603 - a pool's process has no other place to keep them
    _adopted = (data, recipe)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A pool's process would wait for work for ever where its parent was killed."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _make(epoch: int) -> Gray:
    if _adopted is None:
        raise DataError("the augmenting process was given no pictures")
    data, recipe = _adopted
    if recipe.augmentation is None:
        return plain_images(data, recipe.crop)
    return epoch_images(data, recipe.crop, recipe.augmentation, recipe.seed * 100_003 + epoch)
