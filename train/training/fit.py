"""Training that can be killed at any moment and goes on where it stopped, epoch by epoch."""

from __future__ import annotations

import hashlib
import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
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
from train.training.epochs import Checkpoints, iter_epochs
from train.training.optimizers import make_optimizer, plateau_rate
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
    sources: Checkpoints | None = None,
    cluster: Cluster | None = None,
) -> keras.Model:
    """Trains a recipe, or goes on with a run that was broken off.

    The folder holds `run.json` (everything that decides the result), `log.csv` (a line an epoch),
    `best.keras` (highest validation accuracy), `last.weights.h5` (with the optimizer's state) and, at the
    end, `final.keras`. Order and augmentation of an epoch are functions of seed and epoch alone. The log's
    training accuracy is that against the targets, on changed pictures, while the weights still move.

    Args:
        recipe: what to train.
        data: with "train" and "val" splits; the boxes located, if it has any.
        folder: the run's own; made if it is not there.
        sources: checkpoints that this run builds on.
        cluster: what trains it together; None for this process alone. Only the chief's files are the run's.

    Returns:
        The best checkpoint; to workers that are not the chief, the network as it stands.

    Raises:
        ConfigError: the folder holds a run of another recipe, start, data or, where it is not finished,
            versions; another process trains it; the start is of another spec; the network has not as many
            outputs as the data has labels.
        DataError: a split or a source is missing.
    """
    sources, cluster = sources or Checkpoints(), cluster or Cluster()
    if recipe.spec.classes != len(data.label_names):
        raise ConfigError(f"{recipe.spec.classes} classes for {data.name}'s {len(data.label_names)} labels")
    training, validation = data.part("train"), data.part("val")
    keras.utils.set_random_seed(recipe.seed)
    folder = cluster.own(folder)
    with cluster.scope():
        model = _fresh(recipe, training)
    decisive = _decisive(recipe, data, sources)
    finished = (folder / "final.keras").exists()
    if finished:
        # No version decides anything any more; of a run from elsewhere, whose teachers came in half
        # precision, it is the recipe that counts.
        counts = ("recipe",) if is_restored(folder) else ("recipe", "data", "sources")
        check_same(folder / "run.json", {name: decisive[name] for name in counts})
    if cluster.chief_says(finished):
        return keras.models.load_model(folder / "best.keras") if finished else model
    body = model.get_layer("body")
    facts = {
        "parameters": _parameters(recipe, body),
        "multiply_accumulates": multiply_accumulates(body),
        "labels": list(data.label_names),
    }
    claim(folder, decisive, facts)
    with locked(folder):
        return _go_on(recipe, training, validation, folder, sources, cluster, model)


def _go_on(  # noqa: PLR0913, PLR0917 - what `fit` has made ready
    recipe: Recipe,
    training: Dataset,
    validation: Dataset,
    folder: Path,
    sources: Checkpoints,
    cluster: Cluster,
    model: keras.Model,
) -> keras.Model:
    """Trains a compiled network from the last epoch that is done."""
    last, steps = folder / "last.weights.h5", _steps(recipe, training)
    if last.exists():
        # Into a fresh model: a saved one would forget which variables the weight decay leaves alone.
        model.load_weights(last)
    elif sources.start is not None:
        _copy_weights(sources.start, model)
    cluster.share(model)
    done = int(model.optimizer.iterations.numpy()) // steps
    log = truncate_log(folder, done)
    best = max((row["val_accuracy"] for row in log), default=-1.0)  # as the log rounds
    losses = [row["val_loss"] for row in log]
    if done:
        logger.info("%s: %d of %d epochs are done", folder, done, recipe.epochs)
    checks = plain_images(validation, recipe.crop)[..., np.newaxis]
    weights = balanced_weights(training, recipe.balance) if recipe.balance else None
    trainer = Trainer(cluster, model)

    with iter_epochs(recipe, training, sources, done) as epochs:
        for lesson in epochs:
            started = time.monotonic()
            if recipe.schedule == "plateau":
                model.optimizer.learning_rate = plateau_rate(recipe.learning_rate, losses)
            order = np.random.default_rng((recipe.seed, lesson.epoch)).permutation(len(training))
            progress = trainer.train(
                Epoch(
                    lesson.epoch,
                    lesson.images[order][..., np.newaxis],
                    lesson.targets[order],
                    None if weights is None else weights[order],
                    recipe.batch_size,
                )
            )
            with _averaged(recipe, model):
                current = trainer.local()
                logits = predict(current, checks)
                result = evaluate_logits(logits, validation, "val")
                # As it will be read again: else an equal one later would count as better after a resumption.
                if (accuracy := float(rounded(result.accuracy))) > best:
                    best = accuracy
                    atomic_write(folder / "best.keras", current.save)
            row = {
                "epoch": lesson.epoch + 1,
                "learning_rate": float(keras.ops.convert_to_numpy(model.optimizer.learning_rate)),
                "loss": progress.loss,
                "accuracy": progress.accuracy,
                "val_loss": negative_log_likelihood(logits, validation.labels),
                "val_accuracy": result.accuracy,
                "val_macro_f1": result.macro_f1,
                "seconds": time.monotonic() - started,
            }
            append_log(folder, row)
            losses.append(float(rounded(row["val_loss"])))
            atomic_write(
                last, model.save_weights
            )  # after the log: an epoch counts as done once this file says so
            logger.info(
                "%s %d/%d: loss %.4f, training %.2f %%, validation %.2f %% (best %.2f %%), %.0f s",
                folder.name,
                lesson.epoch + 1,
                recipe.epochs,
                row["loss"],
                100 * row["accuracy"],
                100 * result.accuracy,
                100 * best,
                row["seconds"],
            )
    with _averaged(recipe, model):
        atomic_write(folder / "final.keras", trainer.local().save)
    return keras.models.load_model(folder / "best.keras") if cluster.is_chief else model


def _parameters(recipe: Recipe, body: keras.Model) -> int:
    """As a file holds them; a spec knows best which biases become one when its network is folded."""
    spec = recipe.spec
    return spec.stored_parameters() if isinstance(spec, NetSpec) else folded_parameters(body)


def _steps(recipe: Recipe, training: Dataset) -> int:
    """Of an epoch."""
    return -(-len(training) // recipe.batch_size)


def _fresh(recipe: Recipe, training: Dataset) -> keras.Model:
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
    """The model with its running mean of weights, where the recipe keeps one; as it was afterwards."""
    if not recipe.averaging:
        yield
        return
    held = [variable.numpy() for variable in model.trainable_variables]
    model.optimizer.finalize_variable_values(model.trainable_variables)
    try:
        yield
    finally:
        for variable, value in zip(model.trainable_variables, held, strict=True):
            variable.assign(value)


def _copy_weights(start: Path, model: keras.Model) -> None:
    try:
        model.set_weights(keras.models.load_model(start).get_weights())
    except (OSError, ValueError) as error:
        raise ConfigError(f"{start}: no checkpoint of this spec to start from ({error})") from error


def _beside(recipe: Recipe, data: Dataset) -> dict[str, str]:
    """{what else of the data a recipe looks at: its digest}."""
    arrays: dict[str, Any] = {}
    if data.boxes is not None:
        # Widened, since the digests in the `run.json` of earlier runs were taken over 64-bit numbers.
        arrays["boxes"] = data.boxes.astype(np.int64)
    if recipe.votes and data.soft_labels is not None:
        arrays["votes"] = data.soft_labels
    if recipe.balance and "age" in data.attributes:
        arrays["ages"] = data.attributes["age"]
    return {
        name: hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:16]
        for name, array in arrays.items()
    }


def _decisive(recipe: Recipe, data: Dataset, sources: Checkpoints) -> dict[str, Any]:
    """Everything that decides a run's result."""
    backend = keras.backend.backend()
    return {
        "recipe": recipe.to_dict(),
        "data": {"name": data.name, "rows": len(data), "fingerprint": data.fingerprint()},
        "beside": _beside(recipe, data),
        "versions": {
            "python": sys.version.split()[0],
            "keras": keras.__version__,
            backend: version(backend),
            "numpy": np.__version__,
            "opencv": cv2.__version__,
            "imgaug": version("imgaug"),
        },
        "backend": backend,
        "sources": sources.digests(),
    }
