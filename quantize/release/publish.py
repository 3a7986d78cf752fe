"""Turns trained runs into the files that are shipped: converts, verifies, then writes into models/."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from edge.errors import ConfigError, ModelError, OutputError
from edge.files import os_error_reason
from edge.inference.contract import Contract
from quantize.release.float_network import name_of
from quantize.release.quantized_run import QuantizedRun, convert, with_qat
from quantize.release.release import Release
from quantize.release.releases import release_of
from quantize.verification.fidelity import Fidelity, check_faithful, is_faithful
from train.crops.sources import FaceData
from train.data import Dataset, Split
from train.runs.lookup import read_settings

logger = logging.getLogger(__name__)

# Rounding moves accuracy by as much as the last epochs differ, so the int8 files themselves are compared.
_CHECKPOINTS = ("best.keras", "final.keras")


def publish(
    runs: Sequence[Path],
    data: Dataset | FaceData,
    models: Path,
    overwrite: bool = False,
    name: str | None = None,
) -> Contract:
    """Converts the checkpoints of some runs, compares them with their parents, and writes the best one.

    Of each run, the best checkpoint and the final one, if it exists, are tried. The int8 file with the
    highest score on the validation split (the release's `measure`) is shipped, after fine-tuning
    if it is not faithful to its parent. A network that models/ may not hold, such as one of too many
    parameters, is left out with a line in the log.

    Args:
        runs: folders of finished runs, trained at the shipped size or pruned to it.
        data: the task's dataset, boxes located, or what its crops are taken from.
        models: where .tflite file, contract and model card are written.
        overwrite: whether to replace files of the same name.
        name: name of the files, without suffix; None for that of the network that ships.

    Returns:
        The contract as written.

    Raises:
        DataError: a run is incomplete.
        ConfigError: the files exist and must not be replaced.
        ModelError: the result fails verification; nothing is written.
        OutputError: models/ cannot be written to; it is unchanged.
    """
    name = name or name_of(read_settings(runs[0]))
    if not overwrite:
        refuse_existing(name, models)
    release = release_of(data)
    checkpoints = [path for run in runs for path in _checkpoints(run)]
    with tempfile.TemporaryDirectory(prefix="emotiny-") as staging:
        folder = Path(staging)
        converted = _convert_all(checkpoints, name, release, folder)
        chosen = max(converted, key=lambda run: run.score)
        comparison = _compare(chosen, release, "val", folder)
        if not is_faithful(comparison):
            logger.info("%s: fine-tuning, so that int8 predicts what float does", name)
            chosen = with_qat(chosen, release, folder)
            comparison = _compare(chosen, release, "val", folder)
        check_faithful(comparison, name)
        figures = {"val": comparison.to_dict()}
        for split in release.splits[1:]:
            figures[split] = _compare(chosen, release, split, folder).to_dict()
        figures |= chosen.further_figures(release, folder)
        if len(runs) > 1:
            figures["runs"] = _score_of_runs(converted)
        contract = replace(chosen.contract, figures=figures)
        contract.write(folder)
        (folder / f"{name}.tflite").write_bytes(chosen.content)
        (folder / f"{name}.md").write_text(release.card(contract), encoding="utf-8")
        _install([folder / f"{name}{suffix}" for suffix in (".md", ".json", ".tflite")], models)
    logger.info("%s: %d parameters, %d bytes, in %s", name, contract.parameters, contract.size_bytes, models)
    return contract


def refuse_existing(name: str, models: Path) -> None:
    """Refuses a name that a network in a folder already has.

    Raises:
        ConfigError: there is such a network.
    """
    if (models / f"{name}.tflite").exists():
        raise ConfigError(
            f"{models / name}.tflite exists; say --overwrite (OVERWRITE=1 with make) to replace it"
        )


def _convert_all(
    checkpoints: Sequence[Path], name: str, release: Release, folder: Path
) -> list[QuantizedRun]:
    """Converts checkpoints and leaves out what models/ may not hold.

    Raises:
        ModelError: models/ may hold none of them; the error is that of the last one.
    """
    converted = []
    for path in checkpoints:
        try:
            converted.append(convert(path, name, release, folder))
        except ModelError as error:
            if path == checkpoints[-1] and not converted:
                raise
            logger.warning("left out: %s: %s", path, error)
    return converted


def _install(files: Sequence[Path], models: Path) -> None:
    """Copies files that belong together: none gets its name before all of them are on the disk.

    `edge.files.atomic_write` does this for one file only.

    Raises:
        OutputError: the files cannot be written; those of the same names are unchanged.
    """
    copies = {models / f"partial-{file.name}": models / file.name for file in files}
    try:
        for file, copy in zip(files, copies, strict=True):
            shutil.copyfile(file, copy)
        for copy, target in copies.items():
            copy.replace(target)
    except OSError as error:
        raise OutputError(f"cannot write into {models}: {os_error_reason(error)}; it is as it was") from error
    finally:
        for copy in copies:
            copy.unlink(missing_ok=True)


def _score_of_runs(converted: Sequence[QuantizedRun]) -> dict[str, float]:
    """Returns {run: int8 score of its better checkpoint on the validation split}, before fine-tuning."""
    scores: dict[str, float] = {}
    for run in converted:
        name = run.parent.path.parent.name
        scores[name] = max(scores.get(name, 0.0), round(run.score, 4))
    return scores


def _checkpoints(run: Path) -> list[Path]:
    return [run / name for name in _CHECKPOINTS if (run / name).exists()] or [run / _CHECKPOINTS[0]]


def _compare(quantized: QuantizedRun, release: Release, split: Split, folder: Path) -> Fidelity:
    """Compares an int8 file with its parent on a split, and plots the result into the run."""
    comparison = quantized.compare_with_float(release, split, folder)
    release.plot(comparison, quantized.contract, split, quantized.parent.path.parent)
    logger.info("%s: %s", split, comparison.summary())
    return comparison
