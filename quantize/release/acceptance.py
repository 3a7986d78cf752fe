"""One shipped file held against everything that is asked of it, line by line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt

from edge.errors import ModelError
from edge.inference.classifier import Classifier
from edge.inference.contract import Contract, read_model
from quantize.conversion.calibration_set import calibration_rows
from quantize.conversion.converter import to_float, to_int8
from quantize.conversion.logit_adjustment import add_offsets
from quantize.conversion.tta import TestTimeAugmentation
from quantize.release.quantized_run import TUNED, tta_of
from quantize.tflite.inspect import read_contents
from quantize.verification.fidelity import check_faithful, check_file, compare_with_float, scores_of
from quantize.verification.runtimes import compare_runtimes, latency_ratios, runtimes_table
from quantize.verification.sqnr import noise_table, tensor_sqnr
from train.augment import CropSpec, plain_images
from train.data import Dataset
from train.models.sepnet import build
from train.models.spec import ReferenceSpec
from train.runs.lookup import load_checkpoint, read_settings

LARGEST_FILE = 32 * 1024
_ASKED = 500  # pictures that every runtime is asked about
_COMPARED = 100  # pictures on which tensors are compared
_BESIDE = "mini_xception"


def accept(file: Path, parent: Path, data: Dataset, layers: bool = False) -> Iterator[str]:
    """Verifies a file with its contract; gives a line as soon as each part is known.

    Args:
        file: the .tflite file or its contract.
        parent: the run that it was made from.
        data: the task's set, boxes located.
        layers: compare every tensor with its float twin, too.

    Yields:
        What was found.

    Raises:
        ModelError: the file is not what models/ may hold, or its contract does not say what it was made of;
            the message says why.
        DataError: the run is not there.
    """
    contract, content = read_model(file)
    checkpoint = _checkpoint(contract)
    contents = read_contents(content)
    check_file(contents, contract)
    if contents.size_bytes > LARGEST_FILE:
        raise ModelError(f"{file}: {contents.size_bytes} bytes, must be at most {LARGEST_FILE}")
    rest = contents.size_bytes - contents.weight_bytes
    yield (
        f"{file}: {contents.parameters} parameters, no float tensor; {contents.size_bytes} bytes, of these "
        f"{contents.weight_bytes} weights and biases, {rest} graph and scales"
    )
    model = load_checkpoint(parent, checkpoint)
    offsets = _offsets(contract)
    if offsets is not None:
        add_offsets(model, offsets)
    tta = tta_of(read_settings(parent))
    rows = data.part("val")
    crops = plain_images(rows, CropSpec(contract.size, contract.framing))
    logits = tta.predict(model, crops)
    comparison = compare_with_float(
        rows, "val", logits / contract.temperature, scores_of(Classifier(file, contract.task), crops)
    )
    check_faithful(comparison, contract.name)
    yield f"  {json.dumps(comparison.to_dict() | {'int8': round(comparison.after.accuracy, 4)})}"
    yield runtimes_table(compare_runtimes(content, crops[:_ASKED]))
    if layers:
        twin = _twin(contract, parent, model, data, tta)
        yield noise_table(tensor_sqnr(content, twin, crops[:_COMPARED]))
    floats = to_float(model, tta)
    other = ReferenceSpec(_BESIDE, len(contract.labels))
    noise = np.random.default_rng(0).integers(0, 256, (8, other.size, other.size), dtype=np.uint8)
    beside = to_int8(build(other), noise)  # what it would read changes nothing of its time
    others = {"this file": content, "its float form": floats, f"{_BESIDE} in int8": beside}
    ratios = latency_ratios(others)
    yield "  latency: " + ", ".join(f"{name} {ratio:.2f}" for name, ratio in ratios.items())


def _checkpoint(contract: Contract) -> str:
    """Name of the checkpoint, in the run that the file was made from."""
    told = contract.training.get("checkpoint")
    if not isinstance(told, str):
        raise ModelError(
            f"{contract.name}: its contract names no training.checkpoint; expected one, such as "
            "'best.keras', that lies in the run's folder (--run)"
        )
    return told.split(",")[0]


def _twin(
    contract: Contract, run: Path, model: keras.Model, data: Dataset, tta: TestTimeAugmentation
) -> bytes:
    """The network in floats as it was before its integers were rounded."""
    if "fine-tuned" in contract.training:
        return to_float(load_checkpoint(run, TUNED), tta)
    view = CropSpec(contract.size, contract.framing)
    return to_float(model, tta, plain_images(calibration_rows(contract.task, data), view))


def _offsets(contract: Contract) -> npt.NDArray[np.float32] | None:
    held = contract.training.get("offsets of the logits", "none")
    return None if held == "none" else np.array(held.split(", "), dtype=np.float32)
