"""Converts a checkpoint to int8 and writes the contract that says what it is."""

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
from quantize.pruning.steps import read_steps
from quantize.release.provenance import PROVENANCE, TUNED, Provenance
from quantize.tflite.inspect import read_contents
from quantize.verification.fidelity import Comparison, check_file, compare_with_float, scores_of
from train.augment import CropSpec, plain_images
from train.data import Dataset, Split
from train.evaluation.temperature_scaling import fit_temperature
from train.models.weights_hash import weights_digest
from train.runs.lookup import crop_spec_of, load_checkpoint, read_settings

logger = logging.getLogger(__name__)

_LEAST_SCORE = 1e-12  # where the logarithm of a score is taken
# Zooms of new files, by task and size of the crop, where validation accuracy gains by them. A file that
# exists is verified with the zooms that its contract records.
ZOOMS: dict[tuple[Task, int], tuple[int, ...]] = {("emotion", 48): (44,)}


@dataclass(frozen=True)
class FloatNetwork:
    """A trained network before its conversion.

    Attributes:
        path: checkpoint of the network, in the folder of its run.
        settings: settings of the run.
        model: the network, its logits moved by `offsets`.
        offsets: numbers that were added to the logit of each label; empty if there were none.
    """

    path: Path
    settings: dict[str, Any]
    model: keras.Model
    offsets: tuple[float, ...] = ()

    @property
    def name(self) -> str:
        """Name of its int8 file, without suffix."""
        return name_of(self.settings)

    @property
    def task(self) -> Task:
        """Task that it was trained for."""
        task: Task = self.settings["recipe"]["task"]
        return task

    @property
    def crop(self) -> CropSpec:
        """Size and framing of its crops."""
        return crop_spec_of(self.settings)

    @property
    def tta(self) -> TestTimeAugmentation:
        """Views of a crop that its int8 file evaluates."""
        return tta_for(self.settings)


@dataclass(frozen=True)
class QuantizedRun:
    """An int8 file and the network that it was made from.

    Attributes:
        parent: the float network.
        content: content of the .tflite file.
        contract: contract of the file, without figures.
        accuracy: accuracy of the int8 file on the validation split, 0 to 1.
    """

    parent: FloatNetwork
    content: bytes
    contract: Contract
    accuracy: float

    def compare_with_float(self, data: Dataset, split: Split, folder: Path) -> Comparison:
        """Compares the int8 file with its parent on a split; the file is put into `folder` for that."""
        rows = data.part(split)
        crops = plain_images(rows, self.parent.crop)
        scores = scores_of(_stage(folder, self.contract, self.content), crops)
        logits = self.parent.tta.predict(self.parent.model, crops) / self.contract.temperature
        return compare_with_float(rows, split, logits, scores)


def name_of(settings: Mapping[str, Any]) -> str:
    """Returns the name of a run's int8 file, without suffix, from the settings of the run."""
    return file_name(settings["recipe"]["task"], settings["recipe"]["spec"]["size"])


def file_name(task: Task, size: int) -> str:
    """Returns the name, without suffix, of a task's int8 file for crops of `size` x `size` pixels."""
    return f"{task}_sepnet_{size}_int8"


def tta_for(settings: Mapping[str, Any]) -> TestTimeAugmentation:
    """Returns the views that a new file of a run evaluates.

    Mirrored views are among them if the network was trained with mirrored images; zooms are those of `ZOOMS`.
    """
    recipe = settings["recipe"]
    mirror = bool((recipe["augmentation"] or {}).get("flip"))
    return TestTimeAugmentation(mirror, ZOOMS.get((recipe["task"], recipe["spec"]["size"]), ()))


def convert(path: Path, data: Dataset, folder: Path) -> QuantizedRun:
    """Converts a checkpoint to int8.

    Args:
        path: the checkpoint, in the folder of its run.
        data: the task's dataset, boxes located.
        folder: where the file may be put while it is examined.

    Raises:
        DataError: the run is incomplete or damaged, or calibration images are missing from the dataset.
        ModelError: models/ may not hold the file.
    """
    settings, model = read_settings(path.parent), load_checkpoint(path.parent, path.name)
    parent = FloatNetwork(path, settings, model)
    parent = replace(parent, offsets=_adjust_logits(parent, data.part("train")))
    content = to_int8(model, _calibration(parent, data), parent.tta)
    return _quantized_run(parent, content, data, folder)


def with_qat(run: QuantizedRun, data: Dataset, folder: Path) -> QuantizedRun:
    """Converts the same checkpoint after quantization-aware training (`conversion.qat`).

    The fine-tuned network is saved next to the checkpoint.

    Args:
        run: the same checkpoint, converted without that training.
        data: the task's dataset, boxes located.
        folder: where the file may be put while it is examined.
    """
    parent, calibration = run.parent, _calibration(run.parent, data)
    training = plain_images(data.part("train"), parent.crop)
    tuned = finetune(parent.model, training, calibration, parent.tta)
    path = parent.path.parent / TUNED
    atomic_write(path, tuned.save)
    content = to_int8(tuned, calibration, parent.tta, prepared=True)
    return _quantized_run(parent, content, data, folder, path)


def _quantized_run(
    parent: FloatNetwork, content: bytes, data: Dataset, folder: Path, tuned: Path | None = None
) -> QuantizedRun:
    contents, crop = read_contents(content), parent.crop
    contract = Contract(
        name=parent.name,
        task=parent.task,
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        labels=LABELS[parent.task],
        parameters=contents.parameters,
        size=crop.size,
        input_range=(-1.0, 127 / 128),
        framing=crop.framing,
        training=_training(parent, data, tuned),
    )
    check_file(contents, contract)
    rows = data.part("val")
    scores = scores_of(_stage(folder, contract, content), plain_images(rows, crop))
    # Logits but for a constant, from the scores that the device's own code returns at a temperature of 1.
    logits = np.log(np.maximum(scores, _LEAST_SCORE))
    temperature = round(fit_temperature(logits, rows.labels), 3)
    accuracy = float((scores.argmax(axis=1) == rows.labels).mean())
    logger.info("%s: %.2f %% of %s val in int8", parent.path, 100 * accuracy, rows.name)
    return QuantizedRun(parent, content, replace(contract, temperature=temperature), accuracy)


def _calibration(parent: FloatNetwork, data: Dataset) -> Gray:
    return plain_images(calibration_rows(parent.task, data), parent.crop)


def _adjust_logits(parent: FloatNetwork, training: Dataset) -> tuple[float, ...]:
    """Moves the logits as far towards the labels' frequencies as the recipe says, and returns by how much."""
    share = parent.settings["recipe"].get("matching", 0.0)
    if not share:
        return ()
    logits = parent.tta.predict(parent.model, plain_images(training, parent.crop))
    offsets = label_offsets(logits, training.labels, share)
    add_offsets(parent.model, offsets)
    return tuple(map(float, offsets))


def _stage(folder: Path, contract: Contract, content: bytes) -> Classifier:
    """Opens a network as the device does, from files that are not in models/ yet."""
    (folder / f"{contract.name}.tflite").write_bytes(content)
    contract.write(folder)
    return Classifier(folder / f"{contract.name}.tflite", contract.task)


def _training(parent: FloatNetwork, data: Dataset, tuned: Path | None) -> dict[str, Any]:
    """Returns how and from what the file was made, in texts for people and once for `verify`."""
    recipe = parent.settings["recipe"]
    versions = parent.settings["versions"].items()
    epochs = f"{EPOCHS} epochs with rounding, towards its own floats"
    provenance = Provenance(parent.path.name, parent.tta, parent.offsets, tuned.name if tuned else None)
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
        "offsets of the logits": ", ".join(f"{round(offset, 3)}" for offset in parent.offsets) or "none",
        "checkpoint": _describe(parent.path),
        **({"fine-tuned": f"{epochs}; {_describe(tuned)}"} if tuned else {}),
        "calibration": f"quantize/calibration/{recipe['task']}.json",
        "versions": ", ".join(f"{key} {value}" for key, value in versions),
        "command": "make train && make quantize",
        PROVENANCE: provenance.to_dict(),
    }


def _origin(run: Path, recipe: dict[str, Any]) -> str:
    """Returns where the run's first weights came from."""
    if not (run / "plan.json").exists():
        return recipe["start"] or "random weights"
    plan, steps = json.loads((run / "plan.json").read_text(encoding="utf-8")), read_steps(run / "steps.csv")
    return (
        f"{plan['recipe']['name']}, pruned from {steps[0].parameters:,} to {steps[-1].parameters:,} "
        f"parameters in {len(steps) - 1} steps by {plan['plan']['criterion']} importance"
    )


def _describe(checkpoint: Path) -> str:
    return f"{checkpoint.name}, weights {weights_digest(checkpoint)}"
