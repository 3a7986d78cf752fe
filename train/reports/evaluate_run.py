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
from train.reports.run_report import Report, report_run
from train.runs.lookup import crop_spec_of, load_checkpoint, read_settings

logger = logging.getLogger(__name__)


def evaluate_run(data: Dataset, folder: Path, split: Split = "val") -> Report:
    """Evaluates a run's best checkpoint on a split and writes the report of `report_run`.

    Args:
        data: the run's own dataset, or another one with the same labels: its figures then lie in a folder
            of their own below the run, `on-<set>`. Another form of the run's own set, whose splits are drawn
            otherwise, is another one.
        folder: the run's.
        split: of the data.

    Raises:
        DataError: there is no such run, or the data has other labels than the run's.
    """
    settings = read_settings(folder)
    rows = data.part(split)
    labels = tuple(settings.get("labels", data.label_names))
    if data.label_names != labels:
        raise DataError(
            f"{data.name} has the labels {', '.join(data.label_names)}; {folder} was trained on "
            f"{', '.join(labels)}"
        )
    foreign = not _same(data, settings["data"])
    model = load_checkpoint(folder)
    crops = plain_images(rows, crop_spec_of(settings))
    logits = predict(model, crops[..., None])
    groups = evaluate_groups(rows, logits.argmax(axis=1) == rows.labels)
    out = folder
    if foreign:
        out /= f"on-{data.name.lower()}"
        logger.warning("%s: trained on other data than this; what it answers to it lies in %s", folder, out)
    found = report_run(out, rows, crops, logits, split, settings, groups, foreign=foreign)
    logger.info(
        "%s: accuracy %.2f %%, macro-F1 %.3f on %d pictures of %s; %s",
        folder,
        100 * found.evaluation.accuracy,
        found.evaluation.macro_f1,
        found.evaluation.count,
        found.evaluation.split,
        out / "report.html",
    )
    return found


def _same(data: Dataset, trained_on: Mapping[str, Any]) -> bool:
    """Whether a run was trained on this data, which may since have got the test rows that it lacked."""
    seen = data.take(np.flatnonzero(data.splits != "test"))
    prints = (data.fingerprint(), seen.fingerprint())
    return data.name == trained_on["name"] and trained_on["fingerprint"] in prints
