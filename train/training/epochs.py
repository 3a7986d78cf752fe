"""What an epoch teaches: its pictures and its targets, from a seed, from votes and from other networks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge.errors import DataError
from edge.types import Gray
from train.data import Dataset
from train.models.weights_hash import weights_digest
from train.recipes.recipe import Recipe
from train.training.prefetch import prefetched_epochs
from train.training.views import expand, teacher_scores


@dataclass(frozen=True)
class Checkpoints:
    """What a run builds on.

    Attributes:
        start: checkpoint of a network of the same spec whose weights it goes on from.
        teachers: the teachers' checkpoints by their recipes' names.
        cache: folder for changed copies and for the teachers' answers.
    """

    start: Path | None = None
    teachers: Mapping[str, Path] = field(default_factory=dict)
    cache: Path = Path("runs") / "cache"

    def digests(self) -> dict[str, str]:
        """{role: digest of the checkpoint's weights}: other weights make another run.

        Raises:
            DataError: one cannot be read.
        """
        files = {**({"start": self.start} if self.start else {}), **self.teachers}
        return {name: weights_digest(path) for name, path in files.items()}


@dataclass(frozen=True)
class EpochData:
    """One epoch.

    Attributes:
        epoch: its number, from 0.
        images: (N, size, size) uint8, in the order of the training rows.
        targets: (N, C) float32, each row summing to 1.
    """

    epoch: int
    images: Gray
    targets: npt.NDArray[np.float32]


@contextmanager
def iter_epochs(
    recipe: Recipe, training: Dataset, sources: Checkpoints, first: int
) -> Iterator[Iterator[EpochData]]:
    """The epochs of a run, each a function of the recipe and its number alone.

    Args:
        recipe: what decides them.
        training: N rows.
        sources: the teachers, and where to keep what is computed once.
        first: number of the first epoch that is wanted.

    Yields:
        The lessons in turn.

    Raises:
        DataError: a teacher's checkpoint or the votes are missing.
    """
    labelled = _labelled(recipe, training)
    if not recipe.views:
        with prefetched_epochs(training, recipe, first) as epochs:
            yield (EpochData(epoch, images, labelled) for epoch, images in epochs)
        return
    views = expand(training, recipe, sources.cache)
    taught = teacher_scores(views, recipe, sources.teachers, sources.cache) if recipe.teachers else None
    yield (_lesson(recipe, views, labelled, taught, epoch) for epoch in range(first, recipe.epochs))


def _lesson(
    recipe: Recipe,
    views: Gray,
    labelled: npt.NDArray[np.float32],
    taught: npt.NDArray[np.float32] | None,
    epoch: int,
) -> EpochData:
    view = (epoch + recipe.seed - 1) % recipe.views
    images = np.array(views[view])
    if recipe.augmentation is not None and recipe.augmentation.flip:
        # The teachers' answers are means over a picture and its mirror image: they hold for both.
        mirrored = np.random.default_rng((recipe.seed, epoch, 1)).random(len(images)) < 0.5
        images[mirrored] = images[mirrored, :, ::-1]
    targets = labelled
    if taught is not None:
        targets = (1 - recipe.teaching) * labelled + recipe.teaching * taught[view]
    return EpochData(epoch, images, targets)


def _labelled(recipe: Recipe, training: Dataset) -> npt.NDArray[np.float32]:
    """(N, C): the set's labels, mixed with what further votes let expect."""
    labels = np.eye(len(training.label_names), dtype=np.float32)[training.labels]
    if not recipe.votes:
        return labels
    if training.soft_labels is None:
        raise DataError(f"{recipe.name} trains towards votes, but {training.name} was read without them")
    return np.asarray((1 - recipe.votes) * labels + recipe.votes * training.soft_labels, dtype=np.float32)
