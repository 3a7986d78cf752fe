"""The report of a run: a split's figures and plots, and the page that shows all of them."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.errors import DataError, OutputError
from edge.files import atomic_write, os_error_reason
from edge.types import Gray
from train.data import Dataset
from train.evaluation.metrics import Evaluation, evaluate
from train.evaluation.temperature_scaling import (
    TemperatureScaling,
    evaluate_temperature,
    fit_temperature,
    softmax,
)
from train.reports.confusion import save_confusion_png
from train.reports.network_plot import save_network_png
from train.reports.plots import save_curves_png, save_mistakes_png, save_recall_png, save_reliability_png
from train.reports.run_page import SPLITS, read_figures, run_title, write_page

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SplitOutputs:
    """A network's outputs for a split of a dataset.

    Attributes:
        split: "val", "test" or "train".
        rows: the N rows of the split.
        crops: (N, size, size) uint8, the network's input.
        logits: (N, C) float32, the network's output.
        groups: {name: {"count": ..., "accuracy": ...}} of groups of the rows.
        foreign: whether the rows are of another dataset than the run was trained on.
    """

    split: str
    rows: Dataset
    crops: Gray
    logits: npt.NDArray[np.float32]
    groups: Mapping[str, Any] = field(default_factory=dict)
    foreign: bool = False

    def __post_init__(self) -> None:
        """Checks that the fields belong together.

        Raises:
            DataError: the split is unknown, the shapes do not fit, or a logit is not finite.
        """
        if self.split not in SPLITS:
            raise DataError(f"split {self.split!r}: expected one of {', '.join(SPLITS)}")
        count, labels = len(self.rows), len(self.rows.label_names)
        if not count == len(self.crops) == len(self.logits) or self.logits.shape[1:] != (labels,):
            raise DataError(
                f"{count} rows, {len(self.crops)} crops, logits {self.logits.shape}: expected equally many, "
                f"and {labels} logits per row"
            )
        if not np.isfinite(self.logits).all():
            raise DataError(
                f"{self.rows.name} {self.split}: the network returned nan or infinity; its training diverged"
            )


@dataclass(frozen=True)
class Report:
    """The figures of a split.

    Attributes:
        evaluation: predictions compared with labels.
        calibration: confidence compared with accuracy.
    """

    evaluation: Evaluation
    calibration: TemperatureScaling


def report_run(folder: Path, outputs: SplitOutputs, settings: Mapping[str, Any]) -> Report:
    """Writes the figures and plots of a split, and `report.html` with those of all splits so far.

    The files are `<split>.json`, `<split>-confusion.png`, `<split>-recall.png`, `<split>-reliability.png`,
    `<split>-mistakes.png`, `curves.png` if there is a log, and `report.html`. The temperature is fitted on
    "val" only; any other split takes it from `val.json`, or 1 if there is none, and says so.

    Args:
        folder: the run's folder; for foreign outputs, a folder below it. Created if it does not exist.
        outputs: the network's outputs for the split.
        settings: content of `run.json`.

    Raises:
        DataError: `val.json` or `log.csv` is damaged.
        OutputError: a file cannot be written.
    """
    rows, split = outputs.rows, outputs.split
    predicted = outputs.logits.argmax(axis=1)
    evaluation = evaluate(f"{rows.name} {split}", rows.label_names, rows.labels, predicted)
    if split == "val" and not outputs.foreign:
        temperature, source = fit_temperature(outputs.logits, rows.labels), "fitted on this split"
    else:
        # A foreign split's folder lies below the run's, whose temperature holds for it as well.
        temperature, source = _read_temperature((folder.parent if outputs.foreign else folder) / "val.json")
    calibration = evaluate_temperature(outputs.logits, rows.labels, temperature, source)

    title = run_title(settings, folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write into {folder}: {os_error_reason(error)}") from error
    figures = json.dumps(_figures(outputs, evaluation, calibration), indent=1, allow_nan=False) + "\n"
    atomic_write(folder / f"{split}.json", lambda path: path.write_text(figures, encoding="utf-8"))
    save_confusion_png(evaluation, folder / f"{split}-confusion.png", title)
    save_recall_png(evaluation, folder / f"{split}-recall.png", title)
    save_reliability_png(
        calibration,
        folder / f"{split}-reliability.png",
        f"{title}\n{evaluation.split}, {evaluation.count:,} pictures",
    )
    scores = softmax(outputs.logits, temperature)
    save_mistakes_png(rows, outputs.crops, scores, folder / f"{split}-mistakes.png")
    if (folder / "log.csv").exists():
        save_curves_png(folder / "log.csv", folder / "curves.png", title, _plain_accuracies(folder))
    if not outputs.foreign:
        save_network_png(settings, folder / "network.png", title)
    write_page(folder, settings)
    return Report(evaluation, calibration)


def _figures(
    outputs: SplitOutputs, evaluation: Evaluation, calibration: TemperatureScaling
) -> dict[str, Any]:
    figures = evaluation.to_dict()
    # JSON has no nan: a label without pictures has no recall.
    figures["recall"] = {k: None if math.isnan(v) else v for k, v in figures["recall"].items()}
    figures["calibration"] = calibration.to_dict()
    if outputs.groups:
        figures["groups"] = dict(outputs.groups)
    if outputs.foreign:
        figures["foreign"] = True
    return figures


def _plain_accuracies(folder: Path) -> tuple[float, float] | None:
    """Returns the accuracies on the whole training and validation splits, if both were measured."""
    values = [
        read_figures(file).get("accuracy") if (file := folder / f"{split}.json").exists() else None
        for split in ("train", "val")
    ]
    training, validation = values
    if type(training) is not float or type(validation) is not float:
        return None
    return training, validation


def _read_temperature(file: Path) -> tuple[float, str]:
    """Returns the temperature that was fitted on the validation split, and the source to name."""
    temperature = read_figures(file).get("calibration", {}).get("temperature") if file.exists() else None
    if temperature is None:
        logger.warning("%s holds no temperature; 1 is taken (evaluate val first)", file)
        return 1.0, "not fitted, since there is no val.json with a temperature"
    if type(temperature) not in (int, float) or not 0 < temperature < math.inf:
        raise DataError(f"{file}: temperature {temperature!r}; expected a number above 0")
    return float(temperature), "fitted on the validation split"
