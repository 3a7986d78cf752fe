"""The page of a run, `report.html`: made from the figures and plots in the run's folder."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from edge.errors import DataError
from train.reports.html import Section, write_html
from train.runs.results import read_log, read_object

SPLITS = ("val", "test", "train")
_USES = {
    "val": "Validation: training did not see these pictures, but the checkpoint and the temperature were "
    "chosen on them.",
    "test": "Test: seen by neither training nor selection.",
    "train": "Training: the network learned from these very pictures; here they are unchanged.",
}
_FOREIGN = (
    "Pictures of another dataset than the network was trained on, or of its own dataset with other splits: "
    "the network may have learned from some of them."
)
_PLOTS = {
    "confusion": "Confusion matrix: each row is an annotated label, each column a predicted label.",
    "recall": "Recall: the share of each label's pictures that was recognised.",
    "reliability": "Reliability: on the dashed line, accuracy equals confidence.",
    "mistakes": "The mistakes with the highest confidence; many of the annotations are doubtful.",
}
# Plots that other commands add to a run's folder.
_FURTHER_PLOTS = {
    "saliency": (
        "What it looks at",
        "For some faces of every label, the gradient of that label's score by the pixels, and the same by "
        "guided back-propagation (Springenberg et al. 2015): red speaks for the label, blue against it. On "
        "the right, the mean absolute value over many faces: where the label depends on the face.",
    ),
    "robustness": (
        "As a camera sees it",
        "Accuracy on the validation pictures, one look at each, after corruptions that cameras cause. Camera "
        "accuracy is the mean of the rows without a star.",
    ),
    "pruning": (
        "Pruning",
        "Accuracy right after channels were removed and after fine-tuning, and the number of channels left.",
    ),
}
_CRITERIA = {
    "taylor": "Channels were removed in the order of their Taylor importance, the least important first.",
    "magnitude": "Channels were removed in the order of their weights' magnitude, the smallest first.",
    "random": "Channels were removed at random.",
}
# Columns of `steps.csv`: the page's heading, and the format of numbers.
_STEPS = {
    "number": ("step", None),
    "parameters": ("parameters", "{:,.0f}"),
    "multiply_accumulates": ("multiply-accumulates", "{:,.0f}"),
    "before": ("before fine-tuning", "{:.1%}"),
    "after": ("after fine-tuning", "{:.1%}"),
    "widths": ("channels", None),
}
_CURVES = (
    "Training and validation by epoch. Accuracy is the share of unchanged pictures whose annotated label is "
    "predicted, of the training split as of the validation split, unless the legend says otherwise. What is "
    "measured while the weights still move, on changed pictures and against the targets, such as a teacher's "
    "answers, cannot be compared with that: the two losses, and a training curve that is named so."
)
_NETWORK = (
    "Each layer from the input, at the top, to the output: the wider the bar, the more channels. Parameters "
    "are as Keras counts them, with the four per channel of the batch normalization behind a layer."
)
# As files of earlier versions name the source of a temperature.
_SOURCES = {"val.json": "fitted on the validation split"}

_Table = tuple[tuple[str, ...], ...]


def write_page(folder: Path, settings: Mapping[str, Any]) -> Path:
    """Writes `report.html` from the files in a run's folder, in place of an older one.

    Args:
        folder: the run's folder.
        settings: content of `run.json`.

    Returns:
        The page.

    Raises:
        DataError: a file of figures is damaged.
        OutputError: the page cannot be written.
    """
    page = folder / "report.html"
    write_html(page, run_title(settings, folder), tuple(_sections(folder, settings)))
    return page


def run_title(settings: Mapping[str, Any], folder: Path) -> str:
    """Returns the title of a run's page and plots, such as "emotion, 9,838 parameters, float"."""
    recipe = settings.get("recipe", {})
    name, parameters = recipe.get("name", folder.name), settings.get("parameters")
    return f"{name}, {parameters:,} parameters, float" if parameters else f"{name}, float"


def further_sections(folder: Path) -> Iterator[Section]:
    """Yields the sections with the plots and tables that other commands add to a run's folder."""
    for name, (heading, text) in _FURTHER_PLOTS.items():
        if (folder / f"{name}.png").exists():
            more = _criterion(folder) if name == "pruning" else ""
            yield Section(heading, pictures=((folder / f"{name}.png", text + more),))
    if (folder / "steps.csv").exists():
        yield Section("Steps of the pruning", table=_steps_table(folder / "steps.csv"))


def unfinished(folder: Path, settings: Mapping[str, Any]) -> Iterator[Section]:
    """Yields a section that says how far the run is, if its training was stopped."""
    log = folder / "log.csv"
    if (folder / "final.keras").exists() or not (folder / "last.weights.h5").exists() or not log.exists():
        return
    wanted, name = settings.get("recipe", {}).get("epochs", "?"), folder.name
    done = len(read_log(log, ("epoch",)))
    text = (
        f"Stopped after {done} of {wanted} epochs; the same command goes on. "
        f"python -m train evaluate {name} adds figures and plots of the best epoch so far."
    )
    yield Section("Unfinished", text)


def network(folder: Path, settings: Mapping[str, Any]) -> Iterator[Section]:
    """Yields the section with the drawing of the network, if there is one."""
    if (folder / "network.png").exists():
        stored = settings.get("parameters")
        text = _NETWORK + (
            f" Its file stores {stored:,} in all: there the normalization is folded into the layer."
            if stored
            else ""
        )
        yield Section("The network", pictures=((folder / "network.png", text),))


def configuration(settings: Mapping[str, Any]) -> Section:
    """Returns the section with everything that `run.json` holds."""
    return Section("Configuration", _source(settings), (("setting", "value"), *_flatten(settings)))


def read_figures(file: Path) -> dict[str, Any]:
    """Returns the figures of a split, the content of `<split>.json`.

    Raises:
        DataError: the file is damaged.
    """
    figures = read_object(file)
    if not isinstance(figures.get("calibration", {}), dict):
        raise DataError(f"{file}: calibration is no object; evaluate that split again")
    return figures


def _sections(folder: Path, settings: Mapping[str, Any]) -> Iterator[Section]:
    """Yields the page's sections: all figures, the plots of each split, the curves, and the settings."""
    files = {split: folder / f"{split}.json" for split in SPLITS}
    figures = {split: read_figures(file) for split, file in files.items() if file.exists()}
    # Figures without a calibration are of an earlier version, which did not draw the plots.
    figures = {split: each for split, each in figures.items() if "calibration" in each}
    yield from unfinished(folder, settings)
    if figures:
        yield Section("Figures", table=_figures_table(figures))
    for split, each in figures.items():
        plots = ((folder / f"{split}-{kind}.png", text) for kind, text in _PLOTS.items())
        yield Section(
            each["split"],
            f"{_FOREIGN if each.get('foreign') else _USES[split]}\n\n"
            f"Temperature: {each['calibration']['temperature']:.3g}, {_temperature_source(each)}.",
            # A restored run has figures, but no plots of the splits that were not evaluated since.
            pictures=tuple((path, text) for path, text in plots if path.exists()),
        )
        if each.get("groups"):
            rows = ((k, f"{v['count']:,}", f"{v['accuracy']:.1%}") for k, v in each["groups"].items())
            text = "As the dataset annotates them."
            yield Section(f"Groups of {each['split']}", text, (("group", "pictures", "accuracy"), *rows))
    if (folder / "curves.png").exists():
        yield Section("Training", pictures=((folder / "curves.png", _CURVES),))
    yield from further_sections(folder)
    yield from network(folder, settings)
    yield configuration(settings)


def _criterion(folder: Path) -> str:
    """Returns a sentence on the order in which channels were removed; empty if there is no plan."""
    file = folder / "plan.json"
    plan = read_object(file).get("plan") if file.exists() else None
    criterion = plan.get("criterion") if isinstance(plan, Mapping) else None
    return f" {_CRITERIA[criterion]}" if criterion in _CRITERIA else ""


def _source(settings: Mapping[str, Any]) -> str:
    """Returns a sentence on the origin of a published network; empty for the networks of this package."""
    architecture = settings.get("recipe", {}).get("spec", {}).get("architecture")
    if architecture is None:
        return ""
    from train.models.baselines import REFERENCES  # imports Keras, which a page does not need otherwise

    return f"The network: {REFERENCES[architecture].source}." if architecture in REFERENCES else ""


def _temperature_source(figures: Mapping[str, Any]) -> str:
    source = str(figures["calibration"].get("temperature_from", "of unknown origin"))
    return _SOURCES.get(source, source)


def _figures_table(figures: Mapping[str, Mapping[str, Any]]) -> _Table:
    """Returns a table with a column for each split."""
    splits = list(figures.values())
    rows = [
        ("pictures", [f"{split['count']:,}" for split in splits]),
        ("accuracy", [f"{split['accuracy']:.1%}" for split in splits]),
        ("macro-F1", [f"{split['macro_f1']:.3f}" for split in splits]),
    ]
    for text, key, form in (
        ("calibration error (ECE)", "ece", ".1%"),
        ("with temperature", "ece_after", ".1%"),
        ("negative log-likelihood, nats", "nll", ".3f"),
        ("with temperature", "nll_after", ".3f"),
        ("temperature", "temperature", ".2f"),
    ):
        rows.append((text, [format(split["calibration"][key], form) for split in splits]))
    header = ("", *(str(split["split"]) for split in splits))
    return (header, *((text, *cells) for text, cells in rows))


def _steps_table(file: Path) -> _Table:
    """Returns the steps of a pruning, from the file that `quantize.pruning.pruner` writes."""
    with file.open(encoding="utf-8", newline="") as text:
        lines = list(csv.DictReader(text))
    try:
        rows = [
            tuple(form.format(float(line[key])) if form else line[key] for key, (_, form) in _STEPS.items())
            for line in lines
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{file}: no table of pruning steps ({error})") from error
    return (tuple(heading for heading, _ in _STEPS.values()), *rows)


def _flatten(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yields (dotted name, value as text) of each setting."""
    for key, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", _to_text(value)


def _to_text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_to_text(each)}" for key, each in value.items()) or "none"
    if isinstance(value, (list, tuple)):
        separator = "; " if any(isinstance(each, Mapping) for each in value) else ", "
        return separator.join(_to_text(each) for each in value) or "none"
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    return str(value)
