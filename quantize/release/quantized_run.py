"""A checkpoint's conversion to integers, with the contract that says what it is."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from edge.files import atomic_write
from edge.inference.classifier import Classifier
from edge.inference.contract import Contract
from edge.labels import LABELS, Task
from edge.types import Gray
from quantize.conversion.calibration_set import calibration_rows
from quantize.conversion.converter import to_int8
from quantize.conversion.logit_adjustment import add_offsets, label_offsets
from quantize.conversion.qat import EPOCHS, finetune
from quantize.conversion.tta import TestTimeAugmentation
from quantize.pruning.pruner import read_steps
from quantize.tflite.inspect import read_contents
from quantize.verification.fidelity import Comparison, check_file, compare_with_float, scores_of
from train.augment import CropSpec, plain_images
from train.data import Dataset, Split
from train.evaluation.temperature_scaling import fit_temperature
from train.models.weights_hash import weights_digest
from train.runs.lookup import crop_spec_of, load_checkpoint, read_settings

logger = logging.getLogger(__name__)

TUNED = "tuned.keras"
_LEAST = 1e-12  # of a score, where its logarithm is wanted
# Zooms of a file next to the whole crop of 48 pixels, where validation accuracy gains by them.
ZOOMS: dict[Task, tuple[int, ...]] = {"emotion": (44,), "gender": ()}
_SIZE = 48


@dataclass(frozen=True)
class FloatNetwork:
    """A checkpoint in floats.

    Attributes:
        path: the checkpoint's; its folder is the run's.
        settings: of the run.
        model: its answers moved by the offsets.
        offsets: what was added to each label's logit; empty if nothing was.
    """

    path: Path
    settings: dict[str, Any]
    model: keras.Model
    offsets: list[float]

    @property
    def name(self) -> str:
        """The file's, without suffix."""
        return name_of(self.settings)

    @property
    def task(self) -> Task:
        """What it reads."""
        task: Task = self.settings["recipe"]["task"]
        return task

    @property
    def crop(self) -> CropSpec:
        """What it is shown of a picture."""
        return crop_spec_of(self.settings)

    @property
    def tta(self) -> TestTimeAugmentation:
        """Views of a crop that its file evaluates."""
        return tta_of(self.settings)


@dataclass(frozen=True)
class QuantizedRun:
    """A network's integers.

    Attributes:
        parent: what they were made of.
        content: the file's.
        contract: figures are not in it yet.
        accuracy: of the integers on the validation split, 0 to 1.
    """

    parent: FloatNetwork
    content: bytes
    contract: Contract
    accuracy: float

    def compare_with_float(self, data: Dataset, split: Split, folder: Path) -> Comparison:
        """Holds them against their parent; `folder` is where the file lies meanwhile."""
        rows = data.part(split)
        crops = plain_images(rows, self.parent.crop)
        scores = scores_of(_stage(folder, self.contract, self.content), crops)
        logits = self.parent.tta.predict(self.parent.model, crops) / self.contract.temperature
        return compare_with_float(rows, split, logits, scores)


def name_of(settings: Mapping[str, Any]) -> str:
    """What the file of a run is called, without suffix."""
    return file_name(settings["recipe"]["task"], settings["recipe"]["spec"]["size"])


def file_name(task: Task, size: int) -> str:
    """What the file of a task's network of crops of size x size is called, without suffix."""
    return f"{task}_sepnet_{size}_int8"


def tta_of(settings: Mapping[str, Any]) -> TestTimeAugmentation:
    """Views that a run's file evaluates: mirrored ones where the network was trained with them, and zooms."""
    recipe = settings["recipe"]
    mirror = bool((recipe["augmentation"] or {}).get("flip"))
    task: Task = recipe["task"]
    return TestTimeAugmentation(
        mirror, tuple(zoom for zoom in ZOOMS[task] if recipe["spec"]["size"] == _SIZE)
    )


def convert(path: Path, data: Dataset, folder: Path) -> QuantizedRun:
    """A checkpoint's integers.

    Args:
        path: the checkpoint's.
        data: the task's dataset, boxes located.
        folder: where the file may lie meanwhile.

    Raises:
        DataError: the run is incomplete or damaged, or calibration pictures are not in the data.
        ModelError: the file is not what models/ may hold.
    """
    settings, model = read_settings(path.parent), load_checkpoint(path.parent, path.name)
    parent = FloatNetwork(path, settings, model, [])
    offsets = _match(parent, data.part("train"))
    parent = replace(parent, offsets=offsets)
    content = to_int8(model, _calibration(parent, data), parent.tta)
    return _conversion(parent, content, data, folder)


def with_qat(conversion: QuantizedRun, data: Dataset, folder: Path) -> QuantizedRun:
    """The same checkpoint's integers, after a training that knows of the rounding (`conversion.qat`).

    The tuned network is put beside the checkpoint.

    Args:
        conversion: without that.
        data: the task's dataset, boxes located.
        folder: where the file may lie meanwhile.
    """
    parent, calibration = conversion.parent, _calibration(conversion.parent, data)
    training = plain_images(data.part("train"), parent.crop)
    tuned = finetune(parent.model, training, calibration, parent.tta)
    path = parent.path.parent / TUNED
    atomic_write(path, tuned.save)
    content = to_int8(tuned, calibration, parent.tta, prepared=True)
    told = {"fine-tuned": f"{EPOCHS} epochs with rounding, towards its own floats; {_identity(path)}"}
    return _conversion(parent, content, data, folder, told)


def _conversion(
    parent: FloatNetwork, content: bytes, data: Dataset, folder: Path, told: Mapping[str, str] | None = None
) -> QuantizedRun:
    contents, view = read_contents(content), parent.crop
    contract = Contract(
        name=parent.name,
        task=parent.task,
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        labels=LABELS[parent.task],
        parameters=contents.parameters,
        size=view.size,
        input_range=(-1.0, 127 / 128),
        framing=view.framing,
        training=_training(parent, data, told or {}),
    )
    check_file(contents, contract)
    rows = data.part("val")
    scores = scores_of(_stage(folder, contract, content), plain_images(rows, view))
    # Logits but for a constant: what the device's own code answers with a temperature of 1.
    temperature = round(fit_temperature(np.log(np.maximum(scores, _LEAST)), rows.labels), 3)
    accuracy = float((scores.argmax(axis=1) == rows.labels).mean())
    logger.info("%s: %.2f %% of %s val in int8", parent.path, 100 * accuracy, rows.name)
    return QuantizedRun(parent, content, replace(contract, temperature=temperature), accuracy)


def _calibration(parent: FloatNetwork, data: Dataset) -> Gray:
    return plain_images(calibration_rows(parent.task, data), parent.crop)


def _match(parent: FloatNetwork, training: Dataset) -> list[float]:
    """Moves the answers towards the labels' frequencies, as far as the recipe says, and says by how much."""
    share = parent.settings["recipe"].get("matching", 0.0)
    if not share:
        return []
    logits = parent.tta.predict(parent.model, plain_images(training, parent.crop))
    offsets = label_offsets(logits, training.labels, share)
    add_offsets(parent.model, offsets)
    return [round(float(offset), 3) for offset in offsets]


def _stage(folder: Path, contract: Contract, content: bytes) -> Classifier:
    """The network as the device opens it, from files that are not in models/ yet."""
    (folder / f"{contract.name}.tflite").write_bytes(content)
    contract.write(folder)
    return Classifier(folder / f"{contract.name}.tflite", contract.task)


def _training(parent: FloatNetwork, data: Dataset, told: Mapping[str, str]) -> dict[str, Any]:
    """How and from what, as the contract tells it."""
    recipe = parent.settings["recipe"]
    versions = parent.settings["versions"].items()
    return {
        "data": f"{data.name}, fingerprint {data.fingerprint()}",
        "recipe": recipe["name"],
        "run": parent.path.parent.name,
        "epochs": recipe["epochs"],
        "goes on from": _origin(parent.path.parent, recipe),
        "taught by": ", ".join(recipe["teachers"]) or "labels alone",
        "seed": recipe["seed"],
        "spec": json.dumps(recipe["spec"]),
        "reads": str(parent.tta),
        "offsets of the logits": ", ".join(map(str, parent.offsets)) or "none",
        "checkpoint": _identity(parent.path),
        **told,
        "calibration": f"quantize/calibration/{recipe['task']}.json",
        "versions": ", ".join(f"{key} {value}" for key, value in versions),
        "command": "make train && make quantize",
    }


def _origin(run: Path, recipe: dict[str, Any]) -> str:
    """What the run's first weights were."""
    if not (run / "plan.json").exists():
        return recipe["start"] or "random weights"
    held, steps = json.loads((run / "plan.json").read_text(encoding="utf-8")), read_steps(run / "steps.csv")
    return (
        f"{held['recipe']['name']}, pruned from {steps[0].parameters:,} to {steps[-1].parameters:,} "
        f"parameters in {len(steps) - 1} steps by {held['plan']['criterion']} importance"
    )


def _identity(checkpoint: Path) -> str:
    return f"{checkpoint.name}, weights {weights_digest(checkpoint)}"
