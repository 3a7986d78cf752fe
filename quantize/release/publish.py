"""From trained runs to the files that are shipped: converted, verified, and only then put into models/."""

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
from quantize.release.model_card import model_card
from quantize.release.quantized_run import QuantizedRun, convert, name_of, with_qat
from quantize.verification.fidelity import Comparison, check_faithful, is_faithful
from train.data import Dataset, Split
from train.reports.confusion import save_confusion_png
from train.runs.lookup import read_settings

logger = logging.getLogger(__name__)

# Rounding moves accuracy by as much as the last epochs differ, so the integers themselves are compared.
_CHECKPOINTS = ("best.keras", "final.keras")


def publish(runs: Sequence[Path], data: Dataset, models: Path, overwrite: bool = False) -> Contract:
    """Converts the checkpoints of a task's runs, compares them with their parents and writes the best one.

    Args:
        runs: folders of finished runs, trained at their size or pruned to it. Of each, the best and, if there
            is one, the final checkpoint are tried, and the integers that read most of the validation split
            right are shipped; fine-tuned before, where they are not faithful to their floats. A network that
            models/ may not hold, such as one of too many parameters, is left out with a line in the log.
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
    name = name_of(read_settings(runs[0]))
    if not overwrite:
        refuse_existing(name, models)
    checkpoints = [path for run in runs for path in _checkpoints(run)]
    with tempfile.TemporaryDirectory(prefix="emotiny-") as staging:
        folder = Path(staging)
        tried = _converted(checkpoints, data, folder)
        chosen = max(tried, key=lambda conversion: conversion.accuracy)
        compared = _compare(chosen, data, "val", folder)
        if not is_faithful(compared):
            logger.info("%s: fine-tuning, so that its integers answer as its floats do", name)
            chosen = with_qat(chosen, data, folder)
            compared = _compare(chosen, data, "val", folder)
        check_faithful(compared, name)
        figures = {"val": compared.to_dict()}
        if "test" in data.splits:
            figures["test"] = _compare(chosen, data, "test", folder).to_dict()
        if len(runs) > 1:
            figures["runs"] = _best_of_each(tried)
        contract = replace(chosen.contract, figures=figures)
        contract.write(folder)
        (folder / f"{name}.tflite").write_bytes(chosen.content)
        (folder / f"{name}.md").write_text(model_card(contract), encoding="utf-8")
        _put([folder / f"{name}{suffix}" for suffix in (".md", ".json", ".tflite")], models)
    logger.info("%s: %d parameters, %d bytes, in %s", name, contract.parameters, contract.size_bytes, models)
    return contract


def refuse_existing(name: str, models: Path) -> None:
    """Looks whether a network of that name is there.

    Raises:
        ConfigError: it is.
    """
    if (models / f"{name}.tflite").exists():
        raise ConfigError(
            f"{models / name}.tflite exists; say --overwrite (OVERWRITE=1 with make) to replace it"
        )


def _converted(checkpoints: Sequence[Path], data: Dataset, folder: Path) -> list[QuantizedRun]:
    """Those that models/ may hold; raises why the last may not where there is none."""
    found = []
    for path in checkpoints:
        try:
            found.append(convert(path, data, folder))
        except ModelError as error:
            if path == checkpoints[-1] and not found:
                raise
            logger.warning("left out: %s: %s", path, error)
    return found


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
        raise OutputError(f"cannot write into {models}: {os_error_reason(error)}; it is as it was") from error
    finally:
        for copy in partial:
            copy.unlink(missing_ok=True)


def _best_of_each(tried: Sequence[QuantizedRun]) -> dict[str, float]:
    """{run: int8 accuracy of its better checkpoint on the validation split}, before any fine-tuning."""
    found: dict[str, float] = {}
    for conversion in tried:
        name = conversion.parent.path.parent.name
        found[name] = max(found.get(name, 0.0), round(conversion.accuracy, 4))
    return found


def _checkpoints(run: Path) -> list[Path]:
    return [run / name for name in _CHECKPOINTS if (run / name).exists()] or [run / _CHECKPOINTS[0]]


def _compare(conversion: QuantizedRun, data: Dataset, split: Split, folder: Path) -> Comparison:
    """Figures of one split, and its confusion matrix beside the run."""
    comparison, contract = conversion.compare_with_float(data, split, folder), conversion.contract
    title = f"{contract.name}, {contract.parameters:,} parameters"
    run = conversion.parent.path.parent
    save_confusion_png(comparison.after, run / f"{split}-int8-confusion.png", title)
    logger.info(
        "%s: int8 %.2f %%, float %.2f %%, macro-F1 %.3f, same top label %.2f %%, largest difference %.3f",
        split,
        100 * comparison.after.accuracy,
        100 * comparison.before.accuracy,
        comparison.after.macro_f1,
        100 * comparison.agreement,
        comparison.largest_difference,
    )
    return comparison
