"""What a network is trained towards: what differs from one kind of recipe to the next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Protocol

import keras

from train.training.trainer import Epoch


class Objective(Protocol):
    """The network of a recipe with its loss, the rows of each epoch, and the figures that are validated.

    Attributes:
        labels: names of the network's outputs.
        steps: number of batches in an epoch.
        score: the figure of `validate` by which the best epoch is chosen; the higher, the better.
    """

    labels: tuple[str, ...]
    steps: int
    score: str

    def compiled_model(self) -> keras.Model:
        """Builds the network and compiles it with its loss and its optimizer."""
        ...

    def epochs(self, first: int) -> AbstractContextManager[Iterator[Epoch]]:
        """Opens an iterator over the epochs from an index on; each depends on its index alone."""
        ...

    def validate(self, model: keras.Model) -> Mapping[str, float]:
        """Returns the figures of the validation split that the log holds, among them "val_loss"."""
        ...

    def validate_training(self, model: keras.Model) -> Mapping[str, float]:
        """Returns figures of training images, measured as those of the validation split."""
        ...

    def describe(self, row: Mapping[str, float], best: float) -> str:
        """Describes an epoch in a few words, for people.

        Args:
            row: the epoch's row of the log.
            best: the highest score so far.
        """
        ...
