"""Checks a published file against everything that models/ asks of it, and reports line by line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from edge.errors import ModelError
from edge.inference.contract import Contract, read_model
from quantize.conversion.converter import to_float, to_int8
from quantize.conversion.logit_adjustment import add_offsets
from quantize.release.float_network import FloatNetwork
from quantize.release.provenance import read_provenance
from quantize.release.releases import release_of
from quantize.tflite.inspect import read_contents
from quantize.verification.fidelity import check_faithful, check_file
from quantize.verification.runtimes import compare_runtimes, latency_ratios, runtimes_table
from quantize.verification.sqnr import noise_table, tensor_sqnr
from train.augment import CropSpec
from train.crops.sources import FaceData
from train.data import Dataset
from train.models.sepnet import build
from train.models.spec import ReferenceSpec
from train.runs.lookup import load_checkpoint, read_settings

LARGEST_FILE = 32 * 1024  # bytes
# Crops that every runtime is run on, and pixels in all of them: one of them takes a second for 300,000.
_RUNTIME_CROPS, _RUNTIME_PIXELS = 500, 1_200_000
_LAYER_CROPS = 100
# Its latency in int8 is measured for comparison, at the side at which other projects run it.
_BASELINE, _BASELINE_SIDE = "mini_xception", 64


def accept(file: Path, parent: Path, data: Dataset | FaceData, layers: bool = False) -> Iterator[str]:
    """Verifies a file and its contract, and yields a line as soon as each part is known.

    Args:
        file: the .tflite file or its contract.
        parent: folder of the run that the file was made from.
        data: the task's dataset, boxes located, or what its crops are taken from.
        layers: whether to compare every tensor with the same tensor in float as well.

    Yields:
        Lines to print.

    Raises:
        ModelError: models/ may not hold the file, or its contract does not say what it was made of; the
            message gives the reason.
        DataError: the run does not exist.
    """
    contract, content = read_model(file)
    provenance = read_provenance(contract)
    contents = read_contents(content)
    check_file(contents, contract)
    if contents.size_bytes > LARGEST_FILE:
        raise ModelError(f"{file}: {contents.size_bytes} bytes, must be at most {LARGEST_FILE}")
    rest = contents.size_bytes - contents.weight_bytes
    yield (
        f"{file}: {contents.parameters} parameters, no float tensor; {contents.size_bytes} bytes, of these "
        f"{contents.weight_bytes} weights and biases, {rest} graph and scales"
    )
    model = load_checkpoint(parent, provenance.checkpoint)
    if provenance.logit_offsets:
        add_offsets(model, np.array(provenance.logit_offsets, dtype=np.float32))
    release, crop = release_of(data), CropSpec(contract.size, contract.framing)
    network = FloatNetwork(
        contract.name,
        parent / provenance.checkpoint,
        read_settings(parent),
        model,
        crop,
        provenance.tta,
        provenance.by_noise,
    )
    comparison = release.compare(network, file.with_suffix(".tflite"), "val")
    check_faithful(comparison, contract.name)
    yield f"  {json.dumps(comparison.headline())}"
    yield from release.further_checks(contract, content)
    crops = release.images(network, "val")
    some = crops[: min(_RUNTIME_CROPS, _RUNTIME_PIXELS // crop.size**2)]
    yield runtimes_table(compare_runtimes(content, some, partial(release.decide, contract, content)))
    if layers:
        if provenance.fine_tuned:
            unrounded = to_float(load_checkpoint(parent, provenance.fine_tuned), provenance.tta)
        else:
            unrounded = to_float(model, provenance.tta, release.calibration(network), provenance.by_noise)
        yield noise_table(tensor_sqnr(content, unrounded, crops[:_LAYER_CROPS]))
    yield _latency(contract, content, to_float(model, provenance.tta))


def _latency(contract: Contract, content: bytes, float_content: bytes) -> str:
    baseline = ReferenceSpec(_BASELINE, len(contract.labels), _BASELINE_SIDE)
    # Latency does not depend on what the baseline is calibrated with.
    noise = np.random.default_rng(0).integers(0, 256, (8, baseline.size, baseline.size), dtype=np.uint8)
    ratios = latency_ratios(
        {
            "this file": content,
            "its float form": float_content,
            f"{_BASELINE} at {_BASELINE_SIDE}x{_BASELINE_SIDE} in int8": to_int8(build(baseline), noise),
        }
    )
    return "  latency: " + ", ".join(f"{name} {ratio:.2f}" for name, ratio in ratios.items())
