"""From a trained run to the files that are shipped: converted, verified, and only then put into models/."""

from __future__ import annotations

import hashlib
import json
import logging
import tempfile
from dataclasses import dataclass, replace
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
from train.run import groups_of, load_checkpoint

logger = logging.getLogger(__name__)


# Rounding moves accuracy by as much as the last epochs differ, so the integers themselves are compared.
_CHECKPOINTS = ("best.keras", "final.keras")


@dataclass(frozen=True)
class _Candidate:
    """A checkpoint's conversion and its figures on the validation split."""

    model: keras.Model
    content: bytes
    contract: Contract
    figures: dict[str, Any]

    @property
    def accuracy(self) -> float:
        return float(self.figures["int8"]["accuracy"])


def quantize_run(run: Path, data: Dataset, models: Path, overwrite: bool = False) -> Contract:
    """Converts a run's checkpoints, compares them with their parents and writes the better one.

    Args:
        run: a finished run's folder; its best and, if there is one, its final checkpoint are tried, and the
            integers that read more of the validation split right are shipped.
        data: the task's dataset, boxes located.
        models: where network, contract and card go.
        overwrite: replace files of that name.

    Returns:
        The contract as written.

    Raises:
        DataError: the run is incomplete.
        ConfigError: the files exist and may not be replaced.
        ModelError: the result fails verification; nothing is written.
    """
    settings = _read_run(run)
    name = f"{settings['recipe']['task']}_sepnet_{settings['recipe']['spec']['size']}_int8"
    if (models / f"{name}.tflite").exists() and not overwrite:
        raise ConfigError(f"{models / name}.tflite exists; say --overwrite to replace it")
    checkpoints = [run / name for name in _CHECKPOINTS if (run / name).exists()] or [run / _CHECKPOINTS[0]]
    with tempfile.TemporaryDirectory(prefix=".quantize-", dir=models) as staging:
        folder = Path(staging)
        candidates = [_convert(path, name, settings, data, folder) for path in checkpoints]
        chosen = max(candidates, key=lambda candidate: candidate.accuracy)
        classifier = _stage(folder, chosen.contract, chosen.content)
        figures = {"val": _measure(classifier, chosen.model, data, "val", run)}
        check_loss(figures["val"]["float_accuracy"], figures["val"]["int8"]["accuracy"], name)
        if "test" in data.splits:
            figures["test"] = _measure(classifier, chosen.model, data, "test", run)
        contract = replace(chosen.contract, figures=figures)
        contract.write(folder)
        (folder / f"{name}.md").write_text(model_card(contract), encoding="utf-8")
        for suffix in (".md", ".json", ".tflite"):
            (folder / f"{name}{suffix}").replace(models / f"{name}{suffix}")
    logger.info("%s: %d parameters, %d bytes, in %s", name, contract.parameters, contract.size_bytes, models)
    return contract


def _convert(path: Path, name: str, settings: dict[str, Any], data: Dataset, folder: Path) -> _Candidate:
    task: Task = settings["recipe"]["task"]
    view = View(settings["recipe"]["spec"]["size"], Framing(**settings["recipe"]["framing"]))
    model = load_checkpoint(path.parent, path.name)
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
        training=_training(settings, path, data),
    )
    check_file(contents, contract)
    figures = _measure(_stage(folder, contract, content), model, data, "val", path.parent)
    return _Candidate(model, content, contract, figures)


def _stage(folder: Path, contract: Contract, content: bytes) -> Classifier:
    """The network as the device opens it, from files that are not in models/ yet."""
    (folder / f"{contract.name}.tflite").write_bytes(content)
    contract.write(folder)
    return Classifier(folder / f"{contract.name}.tflite", contract.task)


def _measure(
    classifier: Classifier, model: keras.Model, data: Dataset, split: Split, run: Path
) -> dict[str, Any]:
    """Figures of one split, and its confusion matrix beside the run."""
    rows = data.part(split)
    crops = plain_images(rows, View(classifier.contract.size, classifier.contract.framing))
    scores = scores_of(classifier, crops)
    comparison = compare(rows, split, predict(model, crops[..., np.newaxis]), scores)
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


def _training(settings: dict[str, Any], checkpoint: Path, data: Dataset) -> dict[str, Any]:
    """How and from what, as the contract tells it."""
    recipe = settings["recipe"]
    return {
        "data": f"{data.name}, fingerprint {data.fingerprint()}",
        "recipe": recipe["name"],
        "epochs": recipe["epochs"],
        "goes on from": recipe["start"] or "random weights",
        "seed": recipe["seed"],
        "spec": json.dumps(recipe["spec"]),
        "checkpoint": f"{checkpoint.name}, sha256 {hashlib.sha256(checkpoint.read_bytes()).hexdigest()}",
        "calibration": f"quantize/calibration/{recipe['task']}.json",
        "versions": ", ".join(f"{key} {value}" for key, value in settings["versions"].items()),
        "command": "make train && make quantize",
    }
