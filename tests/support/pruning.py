"""A network to prune in tests, and settings with which that takes seconds."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from quantize.pruning.plan import PruningPlan
from train.recipes.recipe import Recipe
from train.training.epochs import Checkpoints

TARGET = 470


@dataclass(frozen=True)
class Parent:
    """A trained network: its recipe, the folder of its run, and what a pruning of it starts from."""

    recipe: Recipe
    run: Path
    sources: Checkpoints


def small_plan(**changes):
    """Returns a plan of three steps, with changes."""
    settings = {"target": TARGET, "share": 0.12, "batches": 6, "rate": 2e-3, "epochs": 2} | changes
    return PruningPlan(**settings)


def scale_inputs(body, group, channel, factor):
    """Multiplies the rows of all kernels that take a channel as an input."""
    for axis in group.inputs:
        layer = body.get_layer(axis.layer)
        kernel = np.array(layer.kernel)
        np.moveaxis(kernel, axis.axis, 0)[channel] *= factor
        layer.kernel.assign(kernel)
