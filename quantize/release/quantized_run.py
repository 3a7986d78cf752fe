"""Converts a checkpoint to int8 and writes the contract that says what it is."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edge.files import atomic_write
from edge.inference.contract import Contract
from edge.labels import LABELS
from quantize.conversion.converter import prepare, range_pixels, to_int8
from quantize.conversion.qat import finetune
from quantize.release.float_network import BY_NOISE, FloatNetwork, tta_for
from quantize.release.provenance import TUNED
from quantize.release.release import Release
from quantize.tflite.inspect import read_contents
from quantize.verification.fidelity import Fidelity, check_file
from train.data import Split
from train.runs.lookup import load_checkpoint, read_settings

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class QuantizedRun:
    """An int8 file and the network that it was made from.

    Attributes:
        parent: the float network.
        content: content of the .tflite file.
        contract: contract of the file, without figures.
        score: score of the int8 file on the validation split, 0 to 1, by the release's `measure`.
    """

    parent: FloatNetwork
    content: bytes
    contract: Contract
    score: float

    def compare_with_float(self, release: Release, split: Split, folder: Path) -> Fidelity:
        """Compares the int8 file with its parent on a split; the file is put into `folder` for that."""
        return release.compare(self.parent, _stage(folder, self.contract, self.content), split)

    def further_figures(self, release: Release, folder: Path) -> dict[str, Any]:
        """Returns the release's further figures of the int8 file, which is put into `folder` for that."""
        return release.further_figures(self.parent, _stage(folder, self.contract, self.content))


def convert(path: Path, name: str, release: Release, folder: Path) -> QuantizedRun:
    """Converts a checkpoint to int8.

    Args:
        path: the checkpoint, in the folder of its run.
        name: name of the file, without suffix.
        release: data and methods of the task.
        folder: where the file may be put while it is examined.

    Raises:
        DataError: the run is incomplete or damaged, or calibration images are missing from the dataset.
        ModelError: models/ may not hold the file.
    """
    settings = read_settings(path.parent)
    model = load_checkpoint(path.parent, path.name)
    by_noise = settings["recipe"]["task"] in BY_NOISE
    network = FloatNetwork(name, path, settings, model, release.crop(settings), tta_for(settings), by_noise)
    parent = release.adjusted(network)
    content = to_int8(parent.model, release.calibration(parent), parent.tta, parent.by_noise)
    return _quantized_run(parent, content, release, folder)


def with_qat(run: QuantizedRun, release: Release, folder: Path) -> QuantizedRun:
    """Converts the same checkpoint after quantization-aware training (`conversion.qat`).

    The fine-tuned network is saved next to the checkpoint.

    Args:
        run: the same checkpoint, converted without that training.
        release: data and methods of the task.
        folder: where the file may be put while it is examined.
    """
    parent, calibration = run.parent, release.calibration(run.parent)
    images = release.training_images(parent)
    tuned = prepare(parent.model, calibration, parent.tta, parent.by_noise)
    pixels = range_pixels(parent.model, calibration, parent.tta)
    finetune(parent.model, tuned, parent.tta.views(images), pixels, release.divergence)
    path = parent.path.parent / TUNED
    atomic_write(path, tuned.save)
    content = to_int8(tuned, calibration, parent.tta, prepared=True)
    return _quantized_run(parent, content, release, folder, path)


def _quantized_run(
    parent: FloatNetwork, content: bytes, release: Release, folder: Path, tuned: Path | None = None
) -> QuantizedRun:
    contents = read_contents(content)
    contract = Contract(
        name=parent.name,
        task=parent.task,
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        labels=LABELS[parent.task],
        parameters=contents.parameters,
        size=parent.crop.size,
        output_kind=release.output_kind,
        input_range=(-1.0, 127 / 128),
        framing=parent.crop.framing,
        training=release.training(parent, tuned),
    )
    check_file(contents, contract)
    for line in release.further_checks(contract, content):
        logger.info("%s", line.strip())
    temperature, score = release.measure(parent, _stage(folder, contract, content))
    logger.info("%s: validation score %.2f %% in int8", parent.path, 100 * score)
    return QuantizedRun(parent, content, replace(contract, temperature=temperature), score)


def _stage(folder: Path, contract: Contract, content: bytes) -> Path:
    """Puts a network where the device's code can open it, though it is not in models/ yet."""
    path = folder / f"{contract.name}.tflite"
    path.write_bytes(content)
    contract.write(folder)
    return path
