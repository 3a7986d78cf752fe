"""Trains a recipe epoch by epoch; a run that was killed is resumed after its last finished epoch."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import Any

import keras

from edge.errors import ConfigError
from edge.files import atomic_write
from train.crops.sources import FaceData
from train.data import Dataset
from train.distributed.strategy import Cluster
from train.models.complexity import folded_parameters, multiply_accumulates
from train.models.spec import NetSpec, ProposalSpec
from train.progress import DISPLAY, EPOCHS
from train.recipes.face_recipe import AnyRecipe, FaceRecipe
from train.training.classification import Classification
from train.training.epochs import Checkpoints
from train.training.face_detection import FaceDetection
from train.training.objective import Objective
from train.training.optimizers import plateau_rate
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

# The weights and the optimizer's state after the last finished epoch.
_LAST = "last.weights.h5"


def fit(
    recipe: AnyRecipe,
    data: Dataset | FaceData,
    folder: Path,
    checkpoints: Checkpoints | None = None,
    cluster: Cluster | None = None,
) -> keras.Model:
    """Trains a recipe, or resumes a run that was interrupted.

    The folder holds `run.json` (everything that decides the result), `log.csv` (a line per epoch),
    `best.keras` (the epoch of the highest score on the validation split), `last.weights.h5` (the last epoch,
    with the optimizer's state) and, at the end, `final.keras`. Order and augmentation of an epoch depend on
    seed and epoch alone. In the log, `loss` and `accuracy` are those of the training itself: against the
    targets, on changed images, while the weights still move. `train_accuracy` is measured as `val_accuracy`
    is: against the labels, on unchanged images, after the epoch.

    Args:
        recipe: what to train.
        data: for a `Recipe`, a dataset with "train" and "val" splits, and with its boxes if the recipe needs
            them; for a `FaceRecipe`, what its crops are taken from.
        folder: the run's own folder; created if it does not exist.
        checkpoints: the checkpoints that this run builds on.
        cluster: the processes and devices that train together; None for this process alone. Only the chief's
            files are the run's.

    Returns:
        The best checkpoint; for workers other than the chief, the network in its present state.

    Raises:
        ConfigError: the folder holds a run of another recipe, start, data or (unless it is finished) other
            versions; another process trains it; the start has another spec; the network's number of outputs
            is not the data's number of labels; the recipe needs data of another kind.
        DataError: a split or a checkpoint is missing.
    """
    checkpoints, cluster = checkpoints or Checkpoints(), cluster or Cluster()
    objective = objective_of(recipe, data, checkpoints)
    keras.utils.set_random_seed(recipe.seed)
    folder = cluster.output_folder(folder)
    with cluster.scope():
        model = objective.compiled_model()
        model.optimizer.build(model.trainable_variables)
    decisive = provenance(recipe, data, checkpoints)
    finished = (folder / "final.keras").exists()
    if finished:
        # Versions no longer decide anything. A restored run may have been trained with other data files, or
        # with teachers whose archived weights are rounded: only its recipe is compared.
        compared = ("recipe",) if is_restored(folder) else ("recipe", "data", "sources")
        check_same(folder / "run.json", {name: decisive[name] for name in compared})
    if cluster.broadcast_flag(finished):
        return keras.models.load_model(folder / "best.keras") if finished else model
    if checkpoints.start is not None and not (folder / _LAST).exists():
        # Before the folder is claimed: a start that does not fit leaves nothing behind.
        _copy_weights(checkpoints.start, model)
    body = model.get_layer("body")
    claim(folder, decisive, network_facts(recipe, body, objective.labels))
    with locked(folder):
        return _Run(recipe, objective, folder, cluster, model).train()


def objective_of(recipe: AnyRecipe, data: Dataset | FaceData, checkpoints: Checkpoints) -> Objective:
    """Returns what a recipe trains towards.

    Raises:
        ConfigError: the recipe needs data of another kind, or with other labels.
        DataError: a split is missing.
    """
    if isinstance(recipe, FaceRecipe) and isinstance(data, FaceData):
        return FaceDetection(recipe, data, checkpoints)
    if isinstance(recipe, FaceRecipe) or isinstance(data, FaceData):
        raise ConfigError(f"{recipe.name}: {data.name} is no data for {recipe.task}")
    return Classification(recipe, data, checkpoints)


class _Run:
    """The training of a compiled network in a folder that is locked and belongs to this run."""

    def __init__(
        self, recipe: AnyRecipe, objective: Objective, folder: Path, cluster: Cluster, model: keras.Model
    ) -> None:
        self._recipe, self._folder, self._cluster, self._model = recipe, folder, cluster, model
        self._objective = objective
        self._last = folder / _LAST
        self._trainer = Trainer(cluster, model)
        self._best = -1.0
        self._losses: list[float] = []

    def train(self) -> keras.Model:
        """Trains the epochs that are not finished yet; returns what `fit` returns."""
        done = self._resume()
        name, wanted = self._folder.name, self._recipe.epochs
        with self._objective.epochs(done) as epochs:
            with DISPLAY.phase(f"{name}: preparing the images", "", None):
                first = list(islice(epochs, 1))
            with DISPLAY.phase(name, EPOCHS, wanted, done) as phase:
                for epoch in chain(first, epochs):
                    first.clear()  # a whole epoch of images, which would stay in memory
                    row = self._train_epoch(epoch)
                    phase.advance()
                    self._log_epoch(row)
        with _averaged(self._recipe, self._model):
            atomic_write(self._folder / "final.keras", self._trainer.local().save)
        if not self._cluster.is_chief:
            return self._model
        return keras.models.load_model(self._folder / "best.keras")

    def _resume(self) -> int:
        """Restores the state after the last finished epoch, if there is one.

        Returns:
            The number of finished epochs.
        """
        if self._last.exists():
            # Into a fresh model: a saved one would forget which variables are excluded from weight decay.
            self._model.load_weights(self._last)
        self._cluster.broadcast_weights(self._model)
        done = int(self._model.optimizer.iterations.numpy()) // self._objective.steps
        _advance_seeds(self._model, done * self._objective.steps)
        log = truncate_log(self._folder, done)
        self._best = max((row[self._objective.score] for row in log), default=-1.0)
        self._losses = [row["val_loss"] for row in log]
        if done:
            logger.info("%s: %d of %d epochs are done", self._folder, done, self._recipe.epochs)
        return done

    def _train_epoch(self, epoch: Epoch) -> dict[str, float]:
        """Trains an epoch, and returns its row of the log."""
        started = time.monotonic()
        if self._recipe.schedule == "plateau":
            self._model.optimizer.learning_rate = plateau_rate(self._recipe.learning_rate, self._losses)
        progress = self._trainer.train(epoch)
        with _averaged(self._recipe, self._model):
            current = self._trainer.local()
            figures = {**self._objective.validate(current), **self._objective.validate_training(current)}
            # Rounded as the log holds it: after a resumption, an equal epoch would count as better otherwise.
            if (score := float(rounded(figures[self._objective.score]))) > self._best:
                self._best = score
                atomic_write(self._folder / "best.keras", current.save)
        row = {
            "epoch": epoch.number + 1,
            "learning_rate": float(keras.ops.convert_to_numpy(self._model.optimizer.learning_rate)),
            **progress.to_dict(),
            **figures,
            "seconds": time.monotonic() - started,
        }
        append_log(self._folder, row)
        self._losses.append(float(rounded(row["val_loss"])))
        # After the log: an epoch counts as finished once its weights are written.
        atomic_write(self._last, self._model.save_weights)
        return row

    def _log_epoch(self, row: Mapping[str, float]) -> None:
        remaining = DISPLAY.remaining()
        logger.info(
            "%s %d/%d: loss %.4f, %s, %.0f s%s",
            self._folder.name,
            row["epoch"],
            self._recipe.epochs,
            row["loss"],
            self._objective.describe(row, self._best),
            row["seconds"],
            f"; {remaining}" if remaining else "",
            extra={"run": self._folder.name, "row": row},  # for handlers that show figures in another way
        )


def network_facts(recipe: AnyRecipe, body: keras.Model, labels: Sequence[str]) -> dict[str, Any]:
    """Returns what `run.json` holds of a network beside what decides its weights.

    Args:
        recipe: the recipe that it was built for.
        body: its layer "body".
        labels: names of its outputs.
    """
    return {
        "parameters": _stored_parameters(recipe, body),
        "multiply_accumulates": multiply_accumulates(body),
        "labels": list(labels),
    }


def _stored_parameters(recipe: AnyRecipe, body: keras.Model) -> int:
    """Returns the number of parameters in the network's file.

    The spec of the package's own networks knows which biases become one when batch normalization is folded.
    """
    spec = recipe.spec
    if isinstance(spec, (NetSpec, ProposalSpec)):
        return spec.stored_parameters()
    return folded_parameters(body)


@contextmanager
def _averaged(recipe: AnyRecipe, model: keras.Model) -> Iterator[None]:
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


def _advance_seeds(model: keras.Model, steps: int) -> None:
    """Gives dropout the masks that it would have drawn next after so many training steps.

    Keras does not store the state of a layer's seed generator, a seed and the number of its draws.
    """
    for layer in model._flatten_layers():
        for generator in layer._seed_generators:
            seed, _ = keras.ops.convert_to_numpy(generator.state)
            generator.state.assign([seed, steps])


def _copy_weights(start: Path, model: keras.Model) -> None:
    try:
        model.set_weights(keras.models.load_model(start).get_weights())
    except (OSError, ValueError) as error:
        raise ConfigError(f"{start}: no checkpoint of this spec to start from ({error})") from error
