"""The objective of networks that read a face: the labels of a dataset, votes, and teachers' scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property

import keras
import numpy as np

from edge.errors import ConfigError
from edge.types import Gray
from train.augment import check_size, plain_images
from train.data import Dataset
from train.evaluation.groups import balanced_weights
from train.evaluation.predictions import evaluate_logits, predict
from train.evaluation.temperature_scaling import negative_log_likelihood
from train.models.sepnet import OFFSET, SCALE, build
from train.recipes.recipe import Recipe
from train.training.epochs import Checkpoints, EpochData, iter_epochs
from train.training.optimizers import make_optimizer
from train.training.trainer import Epoch


class Classification:
    """Trains towards the targets of `Recipe`; the best epoch has the highest validation accuracy."""

    score = "val_accuracy"

    def __init__(self, recipe: Recipe, data: Dataset, checkpoints: Checkpoints) -> None:
        """Takes a dataset with "train" and "val" splits, and the checkpoints that the run builds on.

        Raises:
            ConfigError: the network's number of outputs is not the data's number of labels, or its size not
                that of the data's faces.
            DataError: a split is missing.
        """
        if recipe.spec.classes != len(data.label_names):
            raise ConfigError(
                f"{recipe.spec.classes} classes for {data.name}'s {len(data.label_names)} labels"
            )
        check_size(data, recipe.crop)
        self._recipe, self._checkpoints = recipe, checkpoints
        self._training, self._validation = data.part("train"), data.part("val")
        self._weights = balanced_weights(self._training, recipe.balance) if recipe.balance else None
        self.labels = data.label_names
        self._rows = np.arange(len(self._training))
        if recipe.appearances:
            self._rows = np.repeat(self._rows, np.array(recipe.appearances)[self._training.labels])
        self.steps = -(-len(self._rows) // recipe.batch_size)

    @cached_property
    def _validation_crops(self) -> Gray:
        return self._plain(self._validation)

    @cached_property
    def _sample(self) -> Dataset:
        """As many training rows as there are validation rows, evenly spaced."""
        count = min(len(self._training), len(self._validation))
        return self._training.take(np.arange(count) * len(self._training) // count)

    @cached_property
    def _sample_crops(self) -> Gray:
        return self._plain(self._sample)

    def _plain(self, rows: Dataset) -> Gray:
        return np.asarray(plain_images(rows, self._recipe.crop)[..., np.newaxis])

    def compiled_model(self) -> keras.Model:
        """Builds the network and compiles it with its loss and its optimizer."""
        recipe, (scale, offset) = self._recipe, (SCALE, OFFSET)
        if recipe.standardize:
            pixels = plain_images(self._training, recipe.crop)
            scale, offset = 1 / float(pixels.std()), -float(pixels.mean() / pixels.std())
        model = build(recipe.spec, scale, offset, recipe.precision)
        model.compile(
            make_optimizer(recipe, self.steps),
            keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=recipe.label_smoothing),
            metrics=["accuracy"],
        )
        return model

    @contextmanager
    def epochs(self, first: int) -> Iterator[Iterator[Epoch]]:
        """Opens an iterator over the epochs from an index on, each with its rows in a random order."""
        with iter_epochs(self._recipe, self._training, self._checkpoints, first) as epochs:
            yield map(self._shuffled, epochs)

    def validate(self, model: keras.Model) -> Mapping[str, float]:
        """Returns loss, accuracy and macro-F1 of the validation split."""
        logits = predict(model, self._validation_crops)
        evaluation = evaluate_logits(logits, self._validation, "val")
        return {
            "val_loss": negative_log_likelihood(logits, self._validation.labels),
            "val_accuracy": evaluation.accuracy,
            "val_macro_f1": evaluation.macro_f1,
        }

    def validate_training(self, model: keras.Model) -> Mapping[str, float]:
        """Returns the accuracy on a sample of the training split: unchanged images, against their labels."""
        hits = predict(model, self._sample_crops).argmax(axis=1) == self._sample.labels
        return {"train_accuracy": float(np.mean(hits))}

    def describe(self, row: Mapping[str, float], best: float) -> str:
        """Describes an epoch: training accuracy, validation accuracy, and the best one so far."""
        training, validation = (f"{100 * row[name]:.2f} %" for name in ("train_accuracy", "val_accuracy"))
        return f"training {training}, validation {validation} (best {100 * best:.2f} %)"

    def _shuffled(self, data: EpochData) -> Epoch:
        order = np.random.default_rng((self._recipe.seed, data.epoch)).permutation(self._rows)
        return Epoch(
            data.epoch,
            data.images[order][..., np.newaxis],
            data.targets[order],
            None if self._weights is None else self._weights[order],
            self._recipe.batch_size,
        )
