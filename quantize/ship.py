"""From a trained run to the files that are shipped: converted, verified, and only then put into models/."""

from __future__ import annotations

import hashlib
import json
import logging
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from edge.classifier import Classifier
from edge.contract import Contract
from edge.errors import ConfigError, DataError
from edge.labels import LABELS, Task
from edge.preprocess import Framing
from quantize.calibrate import calibration_rows
from quantize.card import model_card
from quantize.contents import read_contents
from quantize.export import to_int8
from quantize.verify import Comparison, check_file, check_loss, compare, scores_of
from train.augment import View, plain_images
from train.data import Dataset, Split
from train.evaluate import save_confusion_png
from train.fit import predict
from train.run import groups_of, load_best

logger = logging.getLogger(__name__)


def quantize_run(run: Path, data: Dataset, models: Path, overwrite: bool = False) -> Contract:
    """Converts a run's best checkpoint, compares it with its parent and writes network, contract and card.

    Args:
        run: a finished run's folder.
        data: the task's dataset, boxes located.
        models: where the three files go.
        overwrite: replace files of that name.

    Returns:
        The contract as written.

    Raises:
        DataError: the run is incomplete.
        ConfigError: the files exist and may not be replaced.
        ModelError: the result fails verification; nothing is written.
    """
    settings = _read_run(run)
    task: Task = settings["recipe"]["task"]
    view = View(settings["recipe"]["spec"]["size"], Framing(**settings["recipe"]["framing"]))
    name = f"{task}_sepnet_{view.size}_int8"
    if (models / f"{name}.tflite").exists() and not overwrite:
        raise ConfigError(f"{models / name}.tflite exists; say --overwrite to replace it")
    model = load_best(run)
    content = to_int8(model, plain_images(calibration_rows(task, data), view))
    contents = read_contents(content)
    contract = Contract(
        name=name,
        task=task,
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        labels=LABELS[task],
        parameters=contents.parameters,
        size=view.size,
        input_range=(-1.0, 127 / 128),
        framing=view.framing,
        training=_training(settings, run, data),
    )
    check_file(contents, contract)
    with tempfile.TemporaryDirectory(prefix=".quantize-", dir=models) as staging:
        folder = Path(staging)
        (folder / f"{name}.tflite").write_bytes(content)
        (folder / f"{name}.json").write_text(contract.to_json(), encoding="utf-8")
        classifier = Classifier(folder / f"{name}.tflite", task)
        figures: dict[str, Any] = {}
        for split in ("val", "test"):
            if split in data.splits:
                figures[split] = _measure(classifier, model, data, split, run)
        contract = replace(contract, figures=figures)
        (folder / f"{name}.json").write_text(contract.to_json(), encoding="utf-8")
        (folder / f"{name}.md").write_text(model_card(contract), encoding="utf-8")
        for suffix in (".md", ".json", ".tflite"):
            (folder / f"{name}{suffix}").replace(models / f"{name}{suffix}")
    logger.info("%s: %d parameters, %d bytes, in %s", name, contract.parameters, contract.size_bytes, models)
    return contract


def _measure(
    classifier: Classifier, model: keras.Model, data: Dataset, split: Split, run: Path
) -> dict[str, Any]:
    """Figures of one split; the loss is checked on the validation split, which decides what is shipped."""
    rows = data.part(split)
    crops = plain_images(rows, View(classifier.contract.size, classifier.contract.framing))
    scores = scores_of(classifier, crops)
    comparison = compare(rows, split, predict(model, crops[..., np.newaxis]), scores)
    if split == "val":
        check_loss(comparison, classifier.contract)
    title = f"{classifier.contract.name}, {classifier.contract.parameters:,} parameters"
    save_confusion_png(comparison.after, run / f"{split}-int8-confusion.png", title)
    _log(comparison)
    groups = groups_of(rows, scores.argmax(axis=1) == rows.labels)
    return comparison.to_dict() | ({"groups": groups} if groups else {})


def _log(comparison: Comparison) -> None:
    logger.info(
        "%s: int8 %.2f %%, float %.2f %%, macro-F1 %.3f, same top label %.2f %%, largest difference %.3f",
        comparison.after.split,
        100 * comparison.after.accuracy,
        100 * comparison.before.accuracy,
        comparison.after.macro_f1,
        100 * comparison.agreement,
        comparison.largest_difference,
    )


def _read_run(run: Path) -> dict[str, Any]:
    try:
        settings: dict[str, Any] = json.loads((run / "run.json").read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"no trained run in {run} (run.json); train one with `make train`") from error
    except ValueError as error:
        raise DataError(f"{run / 'run.json'}: damaged ({error}); train anew") from error
    return settings


def _training(settings: dict[str, Any], run: Path, data: Dataset) -> dict[str, Any]:
    """How and from what, as the contract tells it."""
    recipe = settings["recipe"]
    return {
        "data": f"{data.name}, fingerprint {data.fingerprint()}",
        "recipe": recipe["name"],
        "epochs": recipe["epochs"],
        "goes on from": recipe["start"] or "random weights",
        "seed": recipe["seed"],
        "spec": json.dumps(recipe["spec"]),
        "parent_sha256": hashlib.sha256((run / "best.keras").read_bytes()).hexdigest(),
        "calibration": f"quantize/calibration/{recipe['task']}.json",
        "versions": ", ".join(f"{key} {value}" for key, value in settings["versions"].items()),
        "command": "make train && make quantize",
    }
