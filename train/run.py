"""A run as a whole: its data, and the evaluation that stands beside its checkpoints."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from edge.errors import DataError
from edge.labels import Task
from train.augment import plain_images
from train.data import Dataset, Split, find_data, load
from train.data.ferplus import with_votes
from train.data.utkface import ETHNICITIES
from train.evaluate import Evaluation, by_group, save_confusion_png, save_json
from train.fit import evaluate_model
from train.framing import with_boxes
from train.recipe import Recipe

logger = logging.getLogger(__name__)

# Upper ends of the age bands that errors are told apart by, and their names.
_AGES = ((12, "age 0-12"), (19, "age 13-19"), (39, "age 20-39"), (59, "age 40-59"), (200, "age 60+"))


def load_located(task: Task, folder: str, cache: Path) -> Dataset:
    """A task's dataset, with the cascade's boxes where its pictures are looser than the device's crop.

    Args:
        task: what is to be trained.
        folder: where the datasets lie.
        cache: folder for the boxes, which take minutes to find.

    Raises:
        DataError: nothing is there, or it is damaged.
    """
    logger.info("reading the %s data in %s", task, folder)
    data = load(task, folder)
    return data if task == "emotion" else with_boxes(data, cache)


def load_for(recipe: Recipe, folder: str, cache: Path) -> Dataset:
    """A recipe's dataset: `load_located`, with FER+'s votes where the recipe trains towards them."""
    data = load_located(recipe.task, folder, cache)
    return with_votes(data, find_data(recipe.task, folder)) if recipe.votes else data


def load_checkpoint(folder: Path, name: str = "best.keras") -> keras.Model:
    """A run's checkpoint.

    Raises:
        DataError: there is none; the message says how to get one.
    """
    path = folder / name
    if not path.exists():
        raise DataError(f"no trained network in {folder} ({name}); train one with `make train`")
    try:
        return keras.models.load_model(path)
    except (ValueError, OSError, KeyError) as error:
        raise DataError(f"{path}: not a checkpoint of this package ({error}); train anew") from error


def report(recipe: Recipe, data: Dataset, folder: Path, split: Split = "val") -> Evaluation:
    """Evaluates a run's best checkpoint and writes `<split>.json` and `<split>-confusion.png` beside it."""
    rows = data.part(split)
    model = load_checkpoint(folder)
    evaluation = evaluate_model(model, plain_images(rows, recipe.view)[..., np.newaxis], rows, split)
    save_json(evaluation, folder / f"{split}.json")
    title = f"{recipe.task}, {recipe.spec.stored_parameters():,} parameters, float"
    save_confusion_png(evaluation, folder / f"{split}-confusion.png", title)
    logger.info(
        "%s: accuracy %.2f %%, macro-F1 %.3f on %d pictures of %s",
        folder,
        100 * evaluation.accuracy,
        evaluation.macro_f1,
        evaluation.count,
        evaluation.split,
    )
    return evaluation


def groups_of(rows: Dataset, hits: npt.NDArray[np.bool_]) -> dict[str, Any]:
    """Accuracy per label, age band and ethnicity, where the set annotates them.

    Args:
        rows: N rows.
        hits: (N,) whether each was read right.

    Returns:
        {group: {"count": ..., "accuracy": ...}}, empty for a set without such annotation.
    """
    if "age" not in rows.attributes:
        return {}
    age, groups, youngest = rows.attributes["age"], {}, 0
    for oldest, name in _AGES:
        groups[name] = (age >= youngest) & (age <= oldest)
        youngest = oldest + 1
    groups["age 13+"] = age >= 13
    for number, name in enumerate(ETHNICITIES):
        groups[f"ethnicity {name}"] = rows.attributes["ethnicity"] == number
    for label, name in enumerate(rows.label_names):
        groups[f"annotated {name}"] = rows.labels == label
    return by_group(groups, hits)
