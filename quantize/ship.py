"""From a trained run to the files that are shipped: converted, verified, and only then put into models/."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from edge.classifier import Classifier
from edge.contract import Contract
from edge.errors import ConfigError, OutputError
from edge.labels import LABELS, Task
from edge.preprocess import Framing
from quantize.calibrate import calibration_rows
from quantize.card import model_card
from quantize.contents import read_contents
from quantize.export import to_int8
from quantize.matching import add_offsets, label_offsets
from quantize.prune import read_steps
from quantize.reading import Reading
from quantize.verify import Comparison, check_file, check_loss, compare, scores_of
from train.augment import View, plain_images
from train.calibration import expected_calibration_error, fit_temperature
from train.data import Dataset, Split
from train.evaluate import save_confusion_png
from train.groups import groups_of
from train.journal import reason
from train.run import load_checkpoint, read_settings

logger = logging.getLogger(__name__)


_LEAST = 1e-12  # of a score, where its logarithm is wanted
# Rounding moves accuracy by as much as the last epochs differ, so the integers themselves are compared.
_CHECKPOINTS = ("best.keras", "final.keras")
# What a file looks at enlarged, beside the whole crop of 48 pixels, where validation gains by it.
ZOOMS: dict[Task, tuple[int, ...]] = {"emotion": (44,), "gender": ()}
_SIZE = 48


@dataclass(frozen=True)
class _Candidate:
    """A checkpoint's conversion and its figures on the validation split."""

    run: Path
    model: keras.Model
    content: bytes
    contract: Contract
    accuracy: float


def quantize_runs(runs: Sequence[Path], data: Dataset, models: Path, overwrite: bool = False) -> Contract:
    """Converts the checkpoints of a recipe's runs, compares them with their parents and writes the best one.

    Args:
        runs: folders of finished runs of one recipe with different seeds. Of each, the best and, if there is
            one, the final checkpoint are tried, and the integers that read most of the validation split
            right are shipped.
        data: the task's dataset, boxes located.
        models: where network, contract and card go.
        overwrite: replace files of that name.

    Returns:
        The contract as written.

    Raises:
        DataError: the run is incomplete.
        ConfigError: the files exist and may not be replaced.
        ModelError: the result fails verification; nothing is written.
        OutputError: models/ cannot be written into; it is as it was.
    """
    recipe = read_settings(runs[0])["recipe"]
    name = f"{recipe['task']}_sepnet_{recipe['spec']['size']}_int8"
    if (models / f"{name}.tflite").exists() and not overwrite:
        raise ConfigError(f"{models / name}.tflite exists; say --overwrite to replace it")
    checkpoints = [path for run in runs for path in _checkpoints(run)]
    with tempfile.TemporaryDirectory(prefix="emotiny-") as staging:
        folder = Path(staging)
        candidates = [_convert(path, name, data, folder) for path in checkpoints]
        chosen = max(candidates, key=lambda candidate: candidate.accuracy)
        run = chosen.run
        classifier = _stage(folder, chosen.contract, chosen.content)
        figures = {"val": _measure(classifier, chosen.model, data, "val", run)}
        check_loss(figures["val"]["float_accuracy"], figures["val"]["int8"]["accuracy"], name)
        if "test" in data.splits:
            figures["test"] = _measure(classifier, chosen.model, data, "test", run)
        if len(runs) > 1:
            figures["runs"] = _best_of_each(candidates)
        contract = replace(chosen.contract, figures=figures)
        contract.write(folder)
        (folder / f"{name}.md").write_text(model_card(contract), encoding="utf-8")
        _put([folder / f"{name}{suffix}" for suffix in (".md", ".json", ".tflite")], models)
    logger.info("%s: %d parameters, %d bytes, in %s", name, contract.parameters, contract.size_bytes, models)
    return contract


def _put(files: Sequence[Path], models: Path) -> None:
    """Copies files that belong together: none takes its place before all are on the disk.

    Raises:
        OutputError: they cannot be written; those that were there before are untouched.
    """
    partial = {models / f"partial-{file.name}": models / file.name for file in files}
    try:
        for file, copy in zip(files, partial, strict=True):
            shutil.copyfile(file, copy)
        for copy, place in partial.items():
            copy.replace(place)
    except OSError as error:
        raise OutputError(f"cannot write into {models}: {reason(error)}; it is as it was") from error
    finally:
        for copy in partial:
            copy.unlink(missing_ok=True)


def _best_of_each(candidates: Sequence[_Candidate]) -> dict[str, float]:
    """{run: int8 accuracy of its better checkpoint on the validation split}."""
    found: dict[str, float] = {}
    for candidate in candidates:
        name = candidate.run.name
        found[name] = max(found.get(name, 0.0), round(candidate.accuracy, 4))
    return found


def _checkpoints(run: Path) -> list[Path]:
    return [run / name for name in _CHECKPOINTS if (run / name).exists()] or [run / _CHECKPOINTS[0]]


def _convert(path: Path, name: str, data: Dataset, folder: Path) -> _Candidate:
    settings = read_settings(path.parent)
    task: Task = settings["recipe"]["task"]
    view = View(settings["recipe"]["spec"]["size"], Framing(**settings["recipe"]["framing"]))
    model = load_checkpoint(path.parent, path.name)
    offsets = _match(model, data.part("train"), view, settings)
    content = to_int8(model, plain_images(calibration_rows(task, data), view), reading_of(settings))
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
        training=_training(settings, path, data, offsets),
    )
    check_file(contents, contract)
    rows = data.part("val")
    scores = scores_of(_stage(folder, contract, content), plain_images(rows, view))
    # Logits but for a constant: what the device's own code answers with a temperature of 1.
    temperature = round(fit_temperature(np.log(np.maximum(scores, _LEAST)), rows.labels), 3)
    accuracy = float((scores.argmax(axis=1) == rows.labels).mean())
    logger.info("%s: %.2f %% of %s val in int8", path, 100 * accuracy, rows.name)
    return _Candidate(path.parent, model, content, replace(contract, temperature=temperature), accuracy)


def reading_of(settings: dict[str, Any]) -> Reading:
    """How a run's file reads: mirrored where the network learned that this means the same, with its zooms."""
    recipe = settings["recipe"]
    mirror = bool((recipe["augmentation"] or {}).get("flip"))
    task: Task = recipe["task"]
    return Reading(mirror, tuple(zoom for zoom in ZOOMS[task] if recipe["spec"]["size"] == _SIZE))


def _match(model: keras.Model, training: Dataset, view: View, settings: dict[str, Any]) -> list[float]:
    """Moves the answers towards the labels' frequencies, as far as the recipe says, and says by how much."""
    share = settings["recipe"].get("matching", 0.0)
    if not share:
        return []
    logits = reading_of(settings).predict(model, plain_images(training, view))
    offsets = label_offsets(logits, training.labels, share)
    add_offsets(model, offsets)
    return [round(float(offset), 3) for offset in offsets]


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
    logits = reading_of(read_settings(run)).predict(model, crops) / classifier.contract.temperature
    comparison = compare(rows, split, logits, scores)
    title = f"{classifier.contract.name}, {classifier.contract.parameters:,} parameters"
    save_confusion_png(comparison.after, run / f"{split}-int8-confusion.png", title)
    _log(comparison)
    groups = groups_of(rows, scores.argmax(axis=1) == rows.labels)
    error = expected_calibration_error(scores.max(axis=1), scores.argmax(axis=1) == rows.labels)
    return (
        comparison.to_dict() | {"calibration_error": round(error, 4)} | ({"groups": groups} if groups else {})
    )


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


def _origin(run: Path, recipe: dict[str, Any]) -> str:
    """What the run's first weights were."""
    if not (run / "plan.json").exists():
        return recipe["start"] or "random weights"
    held, steps = json.loads((run / "plan.json").read_text(encoding="utf-8")), read_steps(run / "steps.csv")
    return (
        f"{held['recipe']['name']}, pruned from {steps[0].parameters:,} to {steps[-1].parameters:,} "
        f"parameters in {len(steps) - 1} steps by {held['plan']['criterion']} importance"
    )


def _training(
    settings: dict[str, Any], checkpoint: Path, data: Dataset, offsets: list[float]
) -> dict[str, Any]:
    """How and from what, as the contract tells it."""
    recipe = settings["recipe"]
    return {
        "data": f"{data.name}, fingerprint {data.fingerprint()}",
        "recipe": recipe["name"],
        "run": checkpoint.parent.name,
        "epochs": recipe["epochs"],
        "goes on from": _origin(checkpoint.parent, recipe),
        "taught by": ", ".join(recipe["teachers"]) or "labels alone",
        "seed": recipe["seed"],
        "spec": json.dumps(recipe["spec"]),
        "reads": str(reading_of(settings)),
        "offsets of the logits": ", ".join(map(str, offsets)) or "none",
        "checkpoint": f"{checkpoint.name}, sha256 {hashlib.sha256(checkpoint.read_bytes()).hexdigest()}",
        "calibration": f"quantize/calibration/{recipe['task']}.json",
        "versions": ", ".join(f"{key} {value}" for key, value in settings["versions"].items()),
        "command": "make train && make quantize",
    }
