"""The images and targets of each epoch: a function of the recipe, the epoch's index and the teachers."""

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
from train.training.distillation import teacher_scores
from train.training.prefetch import prefetched_epochs
from train.training.views import expand, spoiled_views


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoints that a run builds on.

    Attributes:
        start: checkpoint of a network of the same spec, whose weights the run starts from; None for random
            weights.
        teachers: {recipe's name: checkpoint} of the teachers.
        cache: folder for the views and the teachers' scores.
    """

    start: Path | None = None
    teachers: Mapping[str, Path] = field(default_factory=dict)
    cache: Path = Path("runs") / "cache"

    def digests(self) -> dict[str, str]:
        """Returns {role: digest of the checkpoint's weights}: with other weights it is another run.

        Raises:
            DataError: a checkpoint cannot be read.
        """
        files = {**({"start": self.start} if self.start else {}), **self.teachers}
        return {name: weights_digest(path) for name, path in files.items()}


@dataclass(frozen=True)
class EpochData:
    """The images and targets of one epoch.

    Attributes:
        epoch: index of the epoch, from 0.
        images: (N, size, size) uint8, in the order of the training rows.
        targets: (N, C) float32, each row summing to 1.
    """

    epoch: int
    images: Gray
    targets: npt.NDArray[np.float32]


@contextmanager
def iter_epochs(
    recipe: Recipe, training: Dataset, checkpoints: Checkpoints, first: int
) -> Iterator[Iterator[EpochData]]:
    """Opens an iterator over the epochs of a run; each depends only on the recipe and the epoch's index.

    Args:
        recipe: how images and targets are made.
        training: N rows.
        checkpoints: the teachers, and the folder for what is computed once.
        first: index of the first epoch.

    Yields:
        An iterator over the remaining epochs.

    Raises:
        DataError: a teacher's checkpoint or the votes are missing.
    """
    labels = _label_targets(recipe, training)
    if not recipe.views:
        with prefetched_epochs(training, recipe, first) as epochs:
            yield (EpochData(epoch, images, labels) for epoch, images in epochs)
        return
    views = expand(training, recipe, checkpoints.cache)
    scores = None
    if recipe.teachers:
        scores = teacher_scores(views, recipe, checkpoints.teachers, checkpoints.cache)
    if recipe.spoiling:
        views = spoiled_views(training, recipe, checkpoints.cache)
    yield (_epoch_of_views(recipe, views, labels, scores, epoch) for epoch in range(first, recipe.epochs))


def _epoch_of_views(
    recipe: Recipe,
    views: Gray,
    labels: npt.NDArray[np.float32],
    scores: npt.NDArray[np.float32] | None,
    epoch: int,
) -> EpochData:
    view = (epoch + recipe.seed - 1) % recipe.views
    images = np.array(views[view])
    if recipe.augmentation is not None and recipe.augmentation.flip:
        # The teachers' scores are means over an image and its mirror image: they hold for both.
        mirrored = np.random.default_rng((recipe.seed, epoch, 1)).random(len(images)) < 0.5
        images[mirrored] = images[mirrored, :, ::-1]
    targets = labels
    if scores is not None:
        targets = (1 - recipe.teaching) * labels + recipe.teaching * scores[view]
    return EpochData(epoch, images, targets)


def _label_targets(recipe: Recipe, training: Dataset) -> npt.NDArray[np.float32]:
    """Returns the set's labels as (N, C) float32, mixed with what FER+'s votes let expect."""
    labels = np.eye(len(training.label_names), dtype=np.float32)[training.labels]
    if not recipe.votes:
        return labels
    if training.soft_labels is None:
        raise DataError(f"{recipe.name} trains towards votes, but {training.name} was read without them")
    return np.asarray((1 - recipe.votes) * labels + recipe.votes * training.soft_labels, dtype=np.float32)
