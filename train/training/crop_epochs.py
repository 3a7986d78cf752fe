"""The random crops of each epoch: a function of the sources, the recipe and the epoch's index."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice

import cv2
import numpy as np

from edge.types import Gray
from train.crops.proposal import ProposalSampler
from train.crops.refinement import RefinementSampler
from train.crops.sampler import Sampler, Targets, draw_crops
from train.crops.sources import CropSources
from train.recipes.face_recipe import FaceRecipe
from train.training.prefetch import prefetched

_CHUNK = 512  # crops that a process draws at a time
_MAX_WORKERS = 8


@dataclass(frozen=True)
class CropEpoch:
    """The crops of one epoch.

    Attributes:
        epoch: index of the epoch, from 0.
        images: (N, size, size) uint8.
        targets: (N, ...) float16, see `train.crops.proposal_targets` and `train.crops.refinement`.
    """

    epoch: int
    images: Gray
    targets: Targets


def sampler_of(recipe: FaceRecipe, sources: CropSources) -> Sampler:
    """Returns the sampler of a recipe's task."""
    kind = ProposalSampler if recipe.task == "proposal" else RefinementSampler
    return kind(sources, recipe.photometry, recipe.spec.size)


@contextmanager
def iter_crops(recipe: FaceRecipe, sources: CropSources, first: int) -> Iterator[Iterator[CropEpoch]]:
    """Opens an iterator over the epochs of a run, which are drawn one epoch ahead.

    Args:
        recipe: the crops, their number, the seed and the number of epochs.
        sources: what they are taken from.
        first: index of the first epoch.

    Yields:
        An iterator over the remaining epochs.
    """
    parts = [range(start, min(start + _CHUNK, recipe.crops)) for start in range(0, recipe.crops, _CHUNK)]
    tasks = ((epoch, part) for epoch in range(first, recipe.epochs) for part in parts)
    draw = partial(_draw, sampler_of(recipe, sources), recipe.seed)
    # One processor is left to the network itself.
    workers = min(_MAX_WORKERS, max(1, len(os.sched_getaffinity(0)) - 1))
    with prefetched(draw, tasks, workers, ahead=len(parts)) as chunks:
        yield (
            _joined(epoch, islice(chunks, len(parts)), recipe.crops) for epoch in range(first, recipe.epochs)
        )


def _draw(sampler: Sampler, seed: int, task: tuple[int, range]) -> tuple[Gray, Targets]:
    cv2.setNumThreads(1)  # the processes share the processors already
    return draw_crops(sampler, seed, *task)


def _joined(epoch: int, chunks: Iterator[tuple[Gray, Targets]], count: int) -> CropEpoch:
    """Joins chunks without holding them twice."""
    start = 0
    for images, targets in chunks:
        if not start:
            all_images = np.empty((count, *images.shape[1:]), images.dtype)
            all_targets = np.empty((count, *targets.shape[1:]), targets.dtype)
        all_images[start : start + len(images)] = images
        all_targets[start : start + len(targets)] = targets
        start += len(images)
    return CropEpoch(epoch, all_images, all_targets)
