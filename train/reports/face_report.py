"""The report of a network that finds faces: figures, plots and the page with all of them."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.errors import DataError
from edge.files import atomic_write
from edge.types import Gray
from train.crops.sources import FaceData
from train.data import Split
from train.evaluation.face_figures import HEADLINES, FaceEvaluation, FaceFigures
from train.evaluation.predictions import predict
from train.recipes.face_recipe import FaceRecipe
from train.reports.face_plots import save_face_curves_png, save_precision_recall_png
from train.reports.html import Section, write_html
from train.reports.network_plot import save_network_png
from train.reports.run_page import configuration, further_sections, network, run_title, unfinished
from train.runs.lookup import load_checkpoint, read_settings
from train.runs.results import read_object

logger = logging.getLogger(__name__)

_SPLITS: tuple[Split, ...] = ("val", "train")
_USES = {
    "val": "Validation: training did not see these pictures, but the checkpoint was chosen on them.",
    "train": "Training: the network learned from other crops of these pictures.",
}
_PLOT = (
    "On the left, what a higher or a lower threshold brings, with the operating points of the table as dots; "
    "on the right, the recall of each group of faces at these points."
)
_CURVES = "Training and validation by epoch. The crops of training are changed more than those of validation."


def evaluate_face_run(data: FaceData, folder: Path, split: Split = "val") -> FaceFigures:
    """Evaluates a run's best checkpoint on a split and writes its report.

    The files are `<split>.json`, `<split>-precision-recall.png`, `curves.png` if there is a log, and
    `report.html` with those of both splits.

    Args:
        data: what the crops are taken from.
        folder: the run's folder.
        split: "val" or "train".

    Raises:
        DataError: there is no such run, or the network returned nan or infinity.
        OutputError: a file cannot be written.
    """
    settings = read_settings(folder)
    recipe = FaceRecipe.from_dict(settings["recipe"])
    model = load_checkpoint(folder)
    evaluation = FaceEvaluation.of(recipe.task, data.part(split), recipe.spec.size, recipe.validation_crops)

    def run(images: Gray) -> npt.NDArray[np.float32]:
        outputs = predict(model, images[..., np.newaxis])
        if not np.isfinite(outputs).all():
            raise DataError(f"{folder}: the network returned nan or infinity; its training diverged")
        return outputs

    figures = evaluation.figures(run)
    write_face_report(folder, figures, (data.name, split), settings)
    texts = (f"{name.replace('_', ' ')} {value:.1%}" for name, value in figures.headlines.items())
    logger.info("%s: %s; %s", folder, ", ".join(texts), folder / "report.html")
    return figures


def write_face_report(
    folder: Path, figures: FaceFigures, of: tuple[str, Split], settings: Mapping[str, Any]
) -> None:
    """Writes figures and plots of a split, and the page with those of all splits so far.

    Args:
        folder: the run's folder.
        figures: the figures.
        of: names of the dataset and the split, such as ("scenes", "val").
        settings: content of `run.json`.

    Raises:
        DataError: the log or the figures of another split are damaged.
        OutputError: a file cannot be written.
    """
    split, title = of[1], " ".join(of)
    content = json.dumps({"split": title, **figures.to_dict()}, indent=1, allow_nan=False) + "\n"
    atomic_write(folder / f"{split}.json", lambda path: path.write_text(content, encoding="utf-8"))
    heading = run_title(settings, folder)
    save_precision_recall_png(figures, folder / f"{split}-precision-recall.png", f"{heading}\n{title}")
    if (folder / "log.csv").exists():
        headline = HEADLINES[settings["recipe"]["task"]]
        save_face_curves_png(folder / "log.csv", folder / "curves.png", heading, headline)
    save_network_png(settings, folder / "network.png", heading)
    write_face_page(folder, settings)


def write_face_page(folder: Path, settings: Mapping[str, Any]) -> Path:
    """Writes `report.html` from the files in a run's folder, and returns its path.

    Raises:
        DataError: a file of figures is damaged.
        OutputError: the page cannot be written.
    """
    page = folder / "report.html"
    write_html(page, run_title(settings, folder), tuple(_sections(folder, settings)))
    return page


def _sections(folder: Path, settings: Mapping[str, Any]) -> Iterator[Section]:
    files = {split: folder / f"{split}.json" for split in _SPLITS}
    figures = {split: read_object(file) for split, file in files.items() if file.exists()}
    columns = {split: dict(_flat(each)) for split, each in figures.items()}
    yield from unfinished(folder, settings)
    if columns:
        names = list(dict.fromkeys(name for each in columns.values() for name in each))
        header = ("", *(str(each["split"]) for each in figures.values()))
        rows = ((name, *(each.get(name, "") for each in columns.values())) for name in names)
        yield Section("Figures", table=(header, *rows))
    for split, each in figures.items():
        plot = folder / f"{split}-precision-recall.png"
        pictures = ((plot, _PLOT),) if plot.exists() else ()
        yield Section(str(each["split"]), _USES[split], pictures=pictures)
    if (folder / "curves.png").exists():
        yield Section("Training", pictures=((folder / "curves.png", _CURVES),))
    yield from further_sections(folder)
    yield from network(folder, settings)
    yield configuration(settings)


def _flat(figures: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yields (name, value as text) of each number; those of the bands are in the plot."""
    for key, value in figures.items():
        name = f"{prefix}{key}".replace("_", " ")
        if key == "bands":
            continue
        if isinstance(value, Mapping):
            yield from _flat(value, f"{name} ")
        elif isinstance(value, int | float):
            yield name, f"{value:,}" if isinstance(value, int) else f"{value:g}"
