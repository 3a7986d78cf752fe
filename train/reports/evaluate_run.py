"""Evaluates a run's best checkpoint and writes its report."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edge.errors import DataError
from train.augment import plain_images
from train.data import Dataset, Split
from train.evaluation.groups import evaluate_groups
from train.evaluation.predictions import predict
from train.reports.run_report import Report, SplitOutputs, report_run
from train.runs.lookup import crop_spec_of, load_checkpoint, read_settings

logger = logging.getLogger(__name__)


def evaluate_run(data: Dataset, folder: Path, split: Split = "val") -> Report:
    """Evaluates a run's best checkpoint on a split and writes the report of `report_run`.

    Args:
        data: the run's own dataset, or another one with the same labels, whose report is written into
            `on-<dataset>` below the run. The run's own dataset with other splits counts as another one.
        folder: the run's folder.
        split: split of the data.

    Raises:
        DataError: there is no such run, the data has other labels than the run's, or the network returned nan
            or infinity.
        OutputError: a file cannot be written.
    """
    settings = read_settings(folder)
    rows = data.part(split)
    labels = tuple(settings.get("labels", data.label_names))
    if data.label_names != labels:
        raise DataError(
            f"{data.name} has the labels {', '.join(data.label_names)}; {folder} was trained on "
            f"{', '.join(labels)}"
        )
    model = load_checkpoint(folder)
    crops = plain_images(rows, crop_spec_of(settings))
    logits = predict(model, crops[..., None])
    groups = evaluate_groups(rows, logits.argmax(axis=1) == rows.labels)
    foreign = not _is_trained_on(data, settings["data"])
    outputs = SplitOutputs(split, rows, crops, logits, groups, foreign)
    out = folder
    if foreign:
        out /= f"on-{data.name.lower()}"
        logger.warning("%s was trained on other data; the report is written into %s", folder, out)
    report = report_run(out, outputs, settings)
    logger.info(
        "%s: accuracy %.2f %%, macro-F1 %.3f on %d pictures of %s; %s",
        folder,
        100 * report.evaluation.accuracy,
        report.evaluation.macro_f1,
        report.evaluation.count,
        report.evaluation.split,
        out / "report.html",
    )
    return report


def _is_trained_on(data: Dataset, trained_on: Mapping[str, Any]) -> bool:
    """Returns whether a run was trained on this data; test rows may have been added to it since."""
    without_test = data.take(np.flatnonzero(data.splits != "test"))
    fingerprints = (data.fingerprint(), without_test.fingerprint())
    return data.name == trained_on["name"] and trained_on["fingerprint"] in fingerprints
