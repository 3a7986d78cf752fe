"""What stands beside a run for people to look at: figures, pictures, and one page with all of them."""

from __future__ import annotations

import csv
import json
import logging
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.errors import DataError, OutputError
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
from train.reports.html import Section, write_html
from train.reports.plots import save_curves_png, save_mistakes_png, save_recall_png, save_reliability_png
from train.runs.results import read_object

logger = logging.getLogger(__name__)

_SPLITS = ("val", "test", "train")
_USES = {
    "val": "Validation: training did not see these pictures, but the checkpoint and the temperature were "
    "chosen on them.",
    "test": "Test: seen by neither training nor selection.",
    "train": "Training: the network learned from these very pictures; here they are unchanged.",
}
_FOREIGN = (
    "Pictures of other data than the network was trained on, or of the same split otherwise: mind which of "
    "them it may have learned from."
)
_PICTURES = {
    "confusion": "Confusion matrix: each row is an annotated label, each column what the network said.",
    "recall": "Recall: the share of each label's pictures that was recognised.",
    "reliability": "Reliability: on the dashed line, the network is right as often as it says.",
    "mistakes": "The mistakes that the network was surest of; many an annotation is doubtful.",
}
# What other commands put beside a run.
_FURTHER = {
    "saliency": (
        "What it looks at",
        "For some faces of every label, the gradient of that label's score by the pixels, and the same by "
        "guided back-propagation (Springenberg et al. 2015): red speaks for the label, blue against it. On "
        "the right, the mean size over many faces: where the label is read.",
    ),
    "pruning": (
        "Pruning",
        "Accuracy right after each cut and after training on, and the channels that were left.",
    ),
}
_CRITERIA = {
    "taylor": "Those went first that back-propagation says are worth least.",
    "magnitude": "Those went first whose weights are smallest.",
    "random": "Which went was drawn by lot.",
}
_STEPS = {
    "number": "step",
    "parameters": "parameters",
    "multiply_accumulates": "multiply-accumulates",
    "before": "after the cut",
    "after": "after training on",
    "widths": "channels",
}
_CURVES = (
    "Training and validation by epoch. Training is measured against the targets, on changed pictures, while "
    "the weights still move, so the gap to validation is smaller than it would be on plain pictures."
)


@dataclass(frozen=True)
class Report:
    """What was found.

    Attributes:
        evaluation: predictions against labels.
        calibration: confidence against accuracy.
    """

    evaluation: Evaluation
    calibration: TemperatureScaling


def report_run(  # noqa: PLR0913, PLR0917 - a split's rows, pictures and answers, and what the run was
    folder: Path,
    rows: Dataset,
    crops: Gray,
    logits: npt.NDArray[np.float32],
    split: str,
    settings: Mapping[str, Any],
    groups: Mapping[str, Any] | None = None,
    *,
    foreign: bool = False,
) -> Report:
    """Writes a split's figures and pictures beside a run, and `report.html` with those of all splits so far.

    The files: `<split>.json`, `<split>-confusion.png`, `<split>-recall.png`, `<split>-reliability.png`,
    `<split>-mistakes.png`, `curves.png` where there is a log, `report.html`. The temperature is fitted on
    "val" only; any other split takes it from `val.json`, or 1 where there is none, and says which.

    Args:
        folder: the run's own; made if it is not there.
        rows: the split's N rows.
        crops: (N, size, size) uint8, as the network read them.
        logits: (N, C) float32, what it answered.
        split: "val", "test" or "train".
        settings: what `run.json` holds.
        groups: {name: {"count": ..., "accuracy": ...}} of groups of the rows; None for none.
        foreign: the rows are of other data than the run was trained on, and `folder` lies below the run's
            own, whose temperature holds for them, too.

    Raises:
        DataError: shapes do not fit, a logit is not finite, the split is unknown, or `val.json` or `log.csv`
            is damaged.
        OutputError: a file cannot be written.
    """
    _check(rows, crops, logits, split)
    evaluation = evaluate(f"{rows.name} {split}", rows.label_names, rows.labels, logits.argmax(axis=1))
    if split == "val" and not foreign:
        temperature, source = fit_temperature(logits, rows.labels), "fitted on this split"
    else:
        temperature, source = _read_temperature((folder.parent if foreign else folder) / "val.json")
    calibration = evaluate_temperature(logits, rows.labels, temperature, source)
    figures = evaluation.to_dict()
    # JSON has no nan: a label without pictures has no recall.
    figures["recall"] = {k: None if math.isnan(v) else v for k, v in figures["recall"].items()}
    figures["calibration"] = calibration.to_dict()
    if groups:
        figures["groups"] = dict(groups)
    if foreign:
        figures["foreign"] = True

    title = _title(settings, folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f".{split}.json.part"
        part.write_text(json.dumps(figures, indent=1, allow_nan=False) + "\n", encoding="utf-8")
        part.replace(folder / f"{split}.json")
        save_confusion_png(evaluation, folder / f"{split}-confusion.png", title)
    except OSError as error:
        raise OutputError(f"cannot write into {folder}: {error.strerror}") from error
    save_recall_png(evaluation, folder / f"{split}-recall.png", title)
    save_reliability_png(
        calibration,
        folder / f"{split}-reliability.png",
        f"{title}\n{evaluation.split}, {evaluation.count:,} pictures",
    )
    mistakes = folder / f"{split}-mistakes.png"
    save_mistakes_png(crops, rows.labels, softmax(logits, temperature), rows.label_names, mistakes)
    if (folder / "log.csv").exists():
        save_curves_png(folder / "log.csv", folder / "curves.png", title)
    write_page(folder, settings)
    return Report(evaluation, calibration)


def write_page(folder: Path, settings: Mapping[str, Any]) -> Path:
    """Writes `report.html` anew from what lies beside a run.

    Args:
        folder: the run's own.
        settings: what `run.json` holds.

    Raises:
        DataError: a file of figures is damaged.
        OutputError: the page cannot be written.
    """
    page = folder / "report.html"
    write_html(page, _title(settings, folder), tuple(_sections(folder, settings)))
    return page


def _check(rows: Dataset, crops: Gray, logits: npt.NDArray[np.float32], split: str) -> None:
    if split not in _SPLITS:
        raise DataError(f"split {split!r}: expected one of {', '.join(_SPLITS)}")
    if not len(rows) == len(crops) == len(logits) or logits.shape[1:] != (len(rows.label_names),):
        raise DataError(
            f"{len(rows)} rows, {len(crops)} crops, logits {logits.shape}: expected as many of each, and "
            f"{len(rows.label_names)} logits a row"
        )
    if not np.isfinite(logits).all():
        raise DataError(
            f"{rows.name} {split}: the network answered nan or infinity; its training went astray"
        )


def _read_temperature(file: Path) -> tuple[float, str]:
    """The temperature that was fitted on the validation split, and where it comes from."""
    found = _read_figures(file).get("calibration", {}).get("temperature") if file.exists() else None
    if found is None:
        logger.warning("%s: no temperature there; taking 1 (evaluate val first)", file)
        return 1.0, "none was fitted: no val.json with a temperature beside"
    if type(found) not in (int, float) or not 0 < found < math.inf:
        raise DataError(f"{file}: temperature {found!r}; expected a number above 0")
    return float(found), "val.json"


def _read_figures(file: Path) -> dict[str, Any]:
    found = read_object(file)
    if not isinstance(found.get("calibration", {}), dict):
        raise DataError(f"{file}: calibration is no object; evaluate that split again")
    return found


def _title(settings: Mapping[str, Any], folder: Path) -> str:
    recipe = settings.get("recipe", {})
    name, parameters = recipe.get("name", folder.name), settings.get("parameters")
    return f"{name}, {parameters:,} parameters, float" if parameters else f"{name}, float"


def _sections(folder: Path, settings: Mapping[str, Any]) -> Iterator[Section]:
    """The page: figures first, then each split's pictures, the curves, and what was run."""
    splits = {name: folder / f"{name}.json" for name in _SPLITS}
    # Figures of before there were calibrations are left out: their pictures are not there either.
    found = {name: _read_figures(file) for name, file in splits.items() if file.exists()}
    found = {name: figures for name, figures in found.items() if "calibration" in figures}
    yield Section("Figures", table=_figures_table(found))
    for name, figures in found.items():
        pictures = tuple((folder / f"{name}-{kind}.png", text) for kind, text in _PICTURES.items())
        yield Section(
            figures["split"],
            f"{_FOREIGN if figures.get('foreign') else _USES[name]}\n\n"
            f"Temperature: {figures['calibration']['temperature_from']}.",
            # A restored run has its figures, but no pictures of the splits that were not evaluated since.
            pictures=tuple(each for each in pictures if each[0].exists()),
        )
        if figures.get("groups"):
            body = ((k, f"{v['count']:,}", f"{v['accuracy']:.1%}") for k, v in figures["groups"].items())
            text = "As the set annotates them."
            yield Section(f"Groups of {figures['split']}", text, (("group", "pictures", "accuracy"), *body))
    if (folder / "curves.png").exists():
        yield Section("Training", pictures=((folder / "curves.png", _CURVES),))
    for name, (heading, text) in _FURTHER.items():
        if (folder / f"{name}.png").exists():
            more = _criterion(folder) if name == "pruning" else ""
            yield Section(heading, pictures=((folder / f"{name}.png", text + more),))
    if (folder / "steps.csv").exists():
        yield Section("Steps of the pruning", table=_steps_table(folder / "steps.csv"))
    yield Section("Configuration", _source(settings), (("setting", "value"), *_flat(settings)))


def _criterion(folder: Path) -> str:
    """By what the channels were chosen, as the plan of the pruning has it."""
    plan = folder / "plan.json"
    held = read_object(plan).get("plan") if plan.exists() else None
    criterion = held.get("criterion") if isinstance(held, Mapping) else None
    return f" {_CRITERIA[criterion]}" if criterion in _CRITERIA else ""


def _source(settings: Mapping[str, Any]) -> str:
    """Where a published network comes from; empty for the networks of this package."""
    architecture = settings.get("recipe", {}).get("spec", {}).get("architecture")
    if architecture is None:
        return ""
    from train.models.baselines import REFERENCES  # Keras, which a page does not need otherwise

    return f"The network: {REFERENCES[architecture].source}." if architecture in REFERENCES else ""


def _figures_table(found: Mapping[str, Mapping[str, Any]]) -> tuple[tuple[str, ...], ...]:
    """A column per split."""
    calibrations = [figures["calibration"] for figures in found.values()]
    rows = [("pictures", [f"{figures['count']:,}" for figures in found.values()])]
    rows.append(("accuracy", [f"{figures['accuracy']:.1%}" for figures in found.values()]))
    rows.append(("macro-F1", [f"{figures['macro_f1']:.3f}" for figures in found.values()]))
    for text, key, form in (
        ("calibration error (ECE)", "ece", ".1%"),
        ("with temperature", "ece_after", ".1%"),
        ("negative log-likelihood, nats", "nll", ".3f"),
        ("with temperature", "nll_after", ".3f"),
        ("temperature", "temperature", ".2f"),
    ):
        rows.append((text, [format(each[key], form) for each in calibrations]))
    header = ("", *(str(figures["split"]) for figures in found.values()))
    return (header, *((text, *cells) for text, cells in rows))


def _steps_table(file: Path) -> tuple[tuple[str, ...], ...]:
    """The steps as `quantize.pruning.pruner` writes them."""
    with file.open(encoding="utf-8", newline="") as text:
        lines = list(csv.DictReader(text))
    forms = {
        "parameters": "{:,.0f}",
        "multiply_accumulates": "{:,.0f}",
        "before": "{:.1%}",
        "after": "{:.1%}",
    }
    try:
        rows = [
            tuple(forms[key].format(float(line[key])) if key in forms else line[key] for key in _STEPS)
            for line in lines
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{file}: no table of pruning steps ({error})") from error
    return (tuple(_STEPS.values()), *rows)


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """A run's settings as (dotted name, value)."""
    for key, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", _text(value)


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_text(each)}" for key, each in value.items()) or "none"
    if isinstance(value, (list, tuple)):
        parts = "; " if any(isinstance(each, Mapping) for each in value) else ", "
        return parts.join(_text(each) for each in value) or "none"
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    return str(value)
