"""Trains a recipe epoch by epoch; a run that was killed is resumed after its last finished epoch."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import keras
import numpy as np

from edge.errors import ConfigError
from edge.files import atomic_write
from train.augment import plain_images
from train.data import Dataset
from train.distributed.strategy import Cluster
from train.evaluation.groups import balanced_weights
from train.evaluation.predictions import evaluate_logits, predict
from train.evaluation.temperature_scaling import negative_log_likelihood
from train.models.complexity import folded_parameters, multiply_accumulates
from train.models.sepnet import OFFSET, SCALE, build
from train.models.spec import NetSpec
from train.recipes.recipe import Recipe
from train.training.epochs import Checkpoints, EpochData, iter_epochs
from train.training.optimizers import make_optimizer, plateau_rate
from train.training.provenance import provenance
from train.training.run_folder import (
    append_log,
    check_same,
    claim,
    is_restored,
    locked,
    rounded,
    truncate_log,
)
from train.training.trainer import Epoch, Trainer

logger = logging.getLogger(__name__)


def fit(
    recipe: Recipe,
    data: Dataset,
    folder: Path,
    checkpoints: Checkpoints | None = None,
    cluster: Cluster | None = None,
) -> keras.Model:
    """Trains a recipe, or resumes a run that was interrupted.

    The folder holds `run.json` (everything that decides the result), `log.csv` (a line per epoch),
    `best.keras` (the epoch of the highest validation accuracy), `last.weights.h5` (the last epoch, with the
    optimizer's state) and, at the end, `final.keras`. Order and augmentation of an epoch depend on seed and
    epoch alone. The training accuracy in the log is measured against the targets, on changed images, while
    the weights still move.

    Args:
        recipe: what to train.
        data: a dataset with "train" and "val" splits, and with its boxes if the recipe needs them.
        folder: the run's own folder; created if it does not exist.
        checkpoints: the checkpoints that this run builds on.
        cluster: the processes and devices that train together; None for this process alone. Only the chief's
            files are the run's.

    Returns:
        The best checkpoint; for workers other than the chief, the network in its present state.

    Raises:
        ConfigError: the folder holds a run of another recipe, start, data or (unless it is finished) other
            versions; another process trains it; the start has another spec; the network's number of outputs
            is not the data's number of labels.
        DataError: a split or a checkpoint is missing.
    """
    checkpoints, cluster = checkpoints or Checkpoints(), cluster or Cluster()
    if recipe.spec.classes != len(data.label_names):
        raise ConfigError(f"{recipe.spec.classes} classes for {data.name}'s {len(data.label_names)} labels")
    data.part("val")  # refused before the network is built
    keras.utils.set_random_seed(recipe.seed)
    folder = cluster.output_folder(folder)
    with cluster.scope():
        model = _compiled_model(recipe, data.part("train"))
    decisive = provenance(recipe, data, checkpoints)
    finished = (folder / "final.keras").exists()
    if finished:
        # Versions no longer decide anything. A restored run may have been trained with other data files, or
        # with teachers whose archived weights are rounded: only its recipe is compared.
        compared = ("recipe",) if is_restored(folder) else ("recipe", "data", "sources")
        check_same(folder / "run.json", {name: decisive[name] for name in compared})
    if cluster.broadcast_flag(finished):
        return keras.models.load_model(folder / "best.keras") if finished else model
    body = model.get_layer("body")
    facts = {
        "parameters": _stored_parameters(recipe, body),
        "multiply_accumulates": multiply_accumulates(body),
        "labels": list(data.label_names),
    }
    claim(folder, decisive, facts)
    with locked(folder):
        return _Run(recipe, data, folder, cluster, model).train(checkpoints)


class _Run:
    """The training of a compiled network in a folder that is locked and belongs to this run."""

    def __init__(
        self, recipe: Recipe, data: Dataset, folder: Path, cluster: Cluster, model: keras.Model
    ) -> None:
        self._recipe, self._folder, self._cluster, self._model = recipe, folder, cluster, model
        self._training, self._validation = data.part("train"), data.part("val")
        self._last = folder / "last.weights.h5"
        self._validation_crops = plain_images(self._validation, recipe.crop)[..., np.newaxis]
        self._weights = balanced_weights(self._training, recipe.balance) if recipe.balance else None
        self._trainer = Trainer(cluster, model)
        self._best_accuracy = -1.0
        self._losses: list[float] = []

    def train(self, checkpoints: Checkpoints) -> keras.Model:
        """Trains the epochs that are not finished yet; returns what `fit` returns."""
        done = self._resume(checkpoints.start)
        with iter_epochs(self._recipe, self._training, checkpoints, done) as epochs:
            for data in epochs:
                self._train_epoch(data)
        with _averaged(self._recipe, self._model):
            atomic_write(self._folder / "final.keras", self._trainer.local().save)
        if not self._cluster.is_chief:
            return self._model
        return keras.models.load_model(self._folder / "best.keras")

    def _resume(self, start: Path | None) -> int:
        """Restores the state after the last finished epoch, or the weights to start from.

        Returns:
            The number of finished epochs.
        """
        if self._last.exists():
            # Into a fresh model: a saved one would forget which variables are excluded from weight decay.
            self._model.load_weights(self._last)
        elif start is not None:
            _copy_weights(start, self._model)
        self._cluster.broadcast_weights(self._model)
        done = int(self._model.optimizer.iterations.numpy()) // _steps(self._recipe, self._training)
        log = truncate_log(self._folder, done)
        self._best_accuracy = max((row["val_accuracy"] for row in log), default=-1.0)
        self._losses = [row["val_loss"] for row in log]
        if done:
            logger.info("%s: %d of %d epochs are done", self._folder, done, self._recipe.epochs)
        return done

    def _train_epoch(self, data: EpochData) -> None:
        started = time.monotonic()
        if self._recipe.schedule == "plateau":
            self._model.optimizer.learning_rate = plateau_rate(self._recipe.learning_rate, self._losses)
        progress = self._trainer.train(self._shuffled(data))
        with _averaged(self._recipe, self._model):
            current = self._trainer.local()
            logits = predict(current, self._validation_crops)
            evaluation = evaluate_logits(logits, self._validation, "val")
            # Rounded as the log holds it: after a resumption, an equal epoch would count as better otherwise.
            if (accuracy := float(rounded(evaluation.accuracy))) > self._best_accuracy:
                self._best_accuracy = accuracy
                atomic_write(self._folder / "best.keras", current.save)
        row = {
            "epoch": data.epoch + 1,
            "learning_rate": float(keras.ops.convert_to_numpy(self._model.optimizer.learning_rate)),
            "loss": progress.loss,
            "accuracy": progress.accuracy,
            "val_loss": negative_log_likelihood(logits, self._validation.labels),
            "val_accuracy": evaluation.accuracy,
            "val_macro_f1": evaluation.macro_f1,
            "seconds": time.monotonic() - started,
        }
        append_log(self._folder, row)
        self._losses.append(float(rounded(row["val_loss"])))
        # After the log: an epoch counts as finished once its weights are written.
        atomic_write(self._last, self._model.save_weights)
        logger.info(
            "%s %d/%d: loss %.4f, training %.2f %%, validation %.2f %% (best %.2f %%), %.0f s",
            self._folder.name,
            data.epoch + 1,
            self._recipe.epochs,
            row["loss"],
            100 * row["accuracy"],
            100 * evaluation.accuracy,
            100 * self._best_accuracy,
            row["seconds"],
        )

    def _shuffled(self, data: EpochData) -> Epoch:
        order = np.random.default_rng((self._recipe.seed, data.epoch)).permutation(len(self._training))
        return Epoch(
            data.epoch,
            data.images[order][..., np.newaxis],
            data.targets[order],
            None if self._weights is None else self._weights[order],
            self._recipe.batch_size,
        )


def _stored_parameters(recipe: Recipe, body: keras.Model) -> int:
    """Returns the number of parameters in the network's file.

    The spec of the package's own networks knows which biases become one when batch normalization is folded.
    """
    spec = recipe.spec
    return spec.stored_parameters() if isinstance(spec, NetSpec) else folded_parameters(body)


def _steps(recipe: Recipe, training: Dataset) -> int:
    """Returns the number of batches in an epoch."""
    return -(-len(training) // recipe.batch_size)


def _compiled_model(recipe: Recipe, training: Dataset) -> keras.Model:
    scale, offset = SCALE, OFFSET
    if recipe.standardize:
        pixels = plain_images(training, recipe.crop)
        scale, offset = 1 / float(pixels.std()), -float(pixels.mean() / pixels.std())
    model = build(recipe.spec, scale, offset, recipe.precision)
    optimizer = make_optimizer(recipe, _steps(recipe, training))
    model.compile(
        optimizer,
        keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=recipe.label_smoothing),
        metrics=["accuracy"],
    )
    optimizer.build(model.trainable_variables)
    return model


@contextmanager
def _averaged(recipe: Recipe, model: keras.Model) -> Iterator[None]:
    """Gives the model the running mean of its weights, if the recipe asks for one; restores it on exit."""
    if not recipe.averaging:
        yield
        return
    weights = [variable.numpy() for variable in model.trainable_variables]
    model.optimizer.finalize_variable_values(model.trainable_variables)
    try:
        yield
    finally:
        for variable, value in zip(model.trainable_variables, weights, strict=True):
            variable.assign(value)


def _copy_weights(start: Path, model: keras.Model) -> None:
    try:
        model.set_weights(keras.models.load_model(start).get_weights())
    except (OSError, ValueError) as error:
        raise ConfigError(f"{start}: no checkpoint of this spec to start from ({error})") from error
