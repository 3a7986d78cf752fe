"""`expand`: writes a recipe's augmented training set as image files."""

from __future__ import annotations

import argparse
import logging

import numpy as np

from edge.errors import ConfigError
from train.augment import plain_images
from train.recipes.named import classifier_named
from train.reports.contact_sheet import check_free, write_expansion
from train.runs.inputs import load_located
from train.training.views import expand

logger = logging.getLogger(__name__)


def run(arguments: argparse.Namespace) -> None:
    """Writes the views of the training images, the validation images, and a contact sheet."""
    recipe = classifier_named(arguments.recipe)
    if not recipe.views:
        raise ConfigError(f"{recipe.name} has no views: it changes its images anew in every epoch")
    if arguments.count is not None and arguments.count < 1:
        raise ConfigError(f"--count {arguments.count}: expected at least 1")
    check_free(arguments.out)
    data = load_located(recipe.dataset, arguments.data, arguments.runs / "cache")
    training, validation = data.part("train"), data.part("val")
    if arguments.count is not None:
        training = training.take(np.arange(min(arguments.count, len(training))))
    views = expand(training, recipe, arguments.runs / "cache")
    crops = plain_images(validation, recipe.crop)
    logger.info("%s", write_expansion(training, views, validation, crops, arguments.out))
