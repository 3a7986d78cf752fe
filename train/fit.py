"""Training that can be killed at any moment and goes on where it stopped, epoch by epoch."""

from __future__ import annotations

import csv
import hashlib
import json
import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from edge.errors import ConfigError, DataError
from edge.types import Gray
from train.ahead import epochs_ahead
from train.augment import plain_images
from train.data import Dataset
from train.evaluate import Evaluation, evaluate
from train.model import build
from train.recipe import Recipe

logger = logging.getLogger(__name__)

_COLUMNS = ("epoch", "learning_rate", "loss", "accuracy", "val_accuracy", "val_macro_f1", "seconds")


def fit(recipe: Recipe, data: Dataset, folder: Path, start: Path | None = None) -> keras.Model:
    """Trains a recipe, or goes on with a run that was broken off.

    The folder holds `run.json` (everything that decides the result), `log.csv` (a line an epoch),
    `best.keras` (highest validation accuracy), `last.weights.h5` (with the optimizer's state) and, at the
    end, `final.keras`. Order and augmentation of an epoch are functions of seed and epoch alone.

    Args:
        recipe: what to train.
        data: with "train" and "val" splits; the boxes located, if it has any.
        folder: the run's own; made if it is not there.
        start: checkpoint of a network of the same spec whose weights this one goes on from.

    Returns:
        The best checkpoint.

    Raises:
        ConfigError: the folder holds a run of another recipe, start, data or versions; the start is of
            another spec.
        DataError: a split is missing.
    """
    training, validation = data.part("train"), data.part("val")
    folder.mkdir(parents=True, exist_ok=True)
    _claim(folder, recipe, data, start)
    keras.utils.set_random_seed(recipe.seed)
    steps = -(-len(training) // recipe.batch_size)
    last = folder / "last.weights.h5"
    model = _fresh(recipe, steps)
    if last.exists():
        # Into a fresh model: a saved one would forget which variables the weight decay leaves alone.
        model.load_weights(last)
    elif start is not None:
        _copy_weights(start, model)
    done = int(model.optimizer.iterations) // steps
    best = max((row["val_accuracy"] for row in _rewind_log(folder, done)), default=-1.0)
    if done:
        logger.info("%s: %d of %d epochs are done", folder, done, recipe.epochs)
    checks = plain_images(validation, recipe.view)[..., np.newaxis]
    targets = _targets(recipe, training)

    with epochs_ahead(training, recipe, done) as epochs:
        for epoch, images in epochs:
            started = time.monotonic()
            order = np.random.default_rng((recipe.seed, epoch)).permutation(len(training))
            history = model.fit(
                images[order][..., np.newaxis],
                targets[order],
                batch_size=recipe.batch_size,
                initial_epoch=epoch,
                epochs=epoch + 1,
                shuffle=False,
                verbose=1 if sys.stdout.isatty() else 0,
            ).history
            result = evaluate_model(model, checks, validation, "val")
            if result.accuracy > best:
                best = result.accuracy
                _save(model.save, folder / "best.keras")
            row = {
                "epoch": epoch + 1,
                "learning_rate": float(keras.ops.convert_to_numpy(model.optimizer.learning_rate)),
                "loss": history["loss"][0],
                "accuracy": history["accuracy"][0],
                "val_accuracy": result.accuracy,
                "val_macro_f1": result.macro_f1,
                "seconds": time.monotonic() - started,
            }
            _append_log(folder, row)
            _save(model.save_weights, last)  # after the log: an epoch counts as done once this file says so
            logger.info(
                "%s %d/%d: loss %.4f, training %.2f %%, validation %.2f %% (best %.2f %%), %.0f s",
                recipe.name,
                epoch + 1,
                recipe.epochs,
                row["loss"],
                100 * row["accuracy"],
                100 * result.accuracy,
                100 * best,
                row["seconds"],
            )
    _save(model.save, folder / "final.keras")
    return keras.models.load_model(folder / "best.keras")


def predict(model: keras.Model, images: Gray) -> npt.NDArray[np.float32]:
    """(N, classes) float32 logits of (N, size, size, 1) uint8 pictures."""
    return np.asarray(model.predict(images, batch_size=512, verbose=0), dtype=np.float32)


def evaluate_model(model: keras.Model, images: Gray, rows: Dataset, split: str) -> Evaluation:
    """A network's predictions for (N, size, size, 1) uint8 pictures against the labels of the same rows."""
    predicted = predict(model, images).argmax(axis=1)
    return evaluate(f"{rows.name} {split}", rows.label_names, rows.labels, predicted)


def _fresh(recipe: Recipe, steps: int) -> keras.Model:
    model = build(recipe.spec)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0,
        decay_steps=steps * max(1, recipe.epochs - 1),
        alpha=0.001,
        warmup_target=recipe.learning_rate,
        warmup_steps=steps,
    )
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=recipe.weight_decay)
    # Scale, shift and bias are no place for decay: they are few and decide the range of a layer.
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    model.compile(
        optimizer,
        keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=recipe.label_smoothing),
        metrics=["accuracy"],
    )
    optimizer.build(model.trainable_variables)
    return model


def _targets(recipe: Recipe, training: Dataset) -> npt.NDArray[np.float32]:
    """(N, classes) what the network is to say: the set's labels, mixed with what further votes let expect."""
    labels = np.eye(recipe.spec.classes, dtype=np.float32)[training.labels]
    if not recipe.votes:
        return labels
    if training.expected is None:
        raise DataError(f"{recipe.name} trains towards votes, but {training.name} was read without them")
    return (1 - recipe.votes) * labels + recipe.votes * training.expected


def _copy_weights(start: Path, model: keras.Model) -> None:
    try:
        model.set_weights(keras.models.load_model(start).get_weights())
    except (OSError, ValueError) as error:
        raise ConfigError(f"{start}: no checkpoint of this spec to start from ({error})") from error


def _claim(folder: Path, recipe: Recipe, data: Dataset, start: Path | None) -> None:
    """Writes down what decides the result, or checks that the run in this folder is the same."""
    wanted = {
        "recipe": recipe.to_dict(),
        "parameters": recipe.spec.stored_parameters(),
        "data": {"name": data.name, "rows": len(data), "fingerprint": data.fingerprint()},
        "versions": {"python": sys.version.split()[0], "keras": keras.__version__, "numpy": np.__version__},
        "backend": keras.backend.backend(),
        "start": None if start is None else hashlib.sha256(start.read_bytes()).hexdigest(),
    }
    wanted = json.loads(json.dumps(wanted))
    file = folder / "run.json"
    if file.exists():
        held = json.loads(file.read_text(encoding="utf-8"))
        differing = [key for key in wanted if held.get(key) != wanted[key]]
        if differing:
            raise ConfigError(
                f"{folder} holds a run with another {', '.join(differing)}; "
                "name another folder with --out, or remove this one"
            )
        return
    if any(folder.glob("*.keras")):
        raise ConfigError(f"{folder} holds checkpoints but no run.json; name another folder with --out")
    partial = file.with_suffix(".tmp")
    partial.write_text(json.dumps(wanted, indent=1) + "\n", encoding="utf-8")
    partial.replace(file)


def _save(write: Callable[[Path], None], path: Path) -> None:
    partial = path.with_name(f"partial-{path.name}")
    write(partial)
    partial.replace(path)


def _rewind_log(folder: Path, epochs: int) -> list[dict[str, float]]:
    """The log's first epochs; a later line, of an epoch whose checkpoint was not written any more, goes."""
    file = folder / "log.csv"
    if not file.exists():
        return []
    with file.open(encoding="utf-8", newline="") as text:
        lines = text.readlines()
    kept = lines[: epochs + 1]
    if len(kept) < len(lines):
        partial = file.with_suffix(".tmp")
        partial.write_text("".join(kept), encoding="utf-8", newline="")
        partial.replace(file)
    return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(kept)]


def _append_log(folder: Path, row: dict[str, Any]) -> None:
    file = folder / "log.csv"
    fresh = not file.exists()
    with file.open("a", encoding="utf-8", newline="") as text:
        writer = csv.DictWriter(text, _COLUMNS)
        if fresh:
            writer.writeheader()
        writer.writerow({key: f"{row[key]:.6g}" for key in _COLUMNS})
