"""A plot of a dataset: the distribution of its labels, and some images of each.

The plot shows images of the dataset, which its licence keeps private: it belongs into your own runs folder.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edge.files import atomic_write
from edge.types import Gray
from train.data import Dataset
from train.data.survey import Survey

_SHOWN = 12  # images of each label
_COLOURS = {"train": "#4878a8", "val": "#e0a030", "test": "#888888"}


def contact_strip(data: Dataset, count: int = _SHOWN) -> Gray:
    """Draws images of each label, taken evenly over its rows.

    Args:
        data: N images of side S with C labels.
        count: number of images of a label.

    Returns:
        (C * S, count * S) uint8: a line for each label; white where a label has fewer images.
    """
    side = data.images.shape[1]
    strip = np.full((len(data.label_names), side, count, side), 255, dtype=np.uint8)
    for label in range(len(data.label_names)):
        rows = np.flatnonzero(data.labels == label)
        chosen = rows[np.unique(np.linspace(0, len(rows) - 1, count, dtype=int))] if len(rows) else rows
        for column, row in enumerate(chosen):
            strip[label, :, column] = data.images[row]
    return strip.reshape(len(data.label_names) * side, count * side)


def save_survey_png(survey: Survey, data: Dataset, path: Path) -> None:
    """Draws the number of rows per label and split as bars, and below them some images of each label.

    Args:
        survey: survey of the dataset.
        data: the dataset.
        path: PNG file to write; its folder is created.

    Raises:
        OutputError: the file cannot be written.
    """
    from matplotlib.figure import Figure

    labels = len(survey.label_names)
    figure = Figure(figsize=(9, 3.2 + 0.75 * labels), layout="constrained")
    bars, strip = figure.subplots(2, 1, height_ratios=(3.2, 0.75 * labels))
    width = 0.8 / len(survey.counts)
    for index, (split, counts) in enumerate(survey.counts.items()):
        centres = np.arange(labels) + width * (index - (len(survey.counts) - 1) / 2)
        drawn = bars.bar(centres, counts, width, label=f"{split}, {sum(counts):,}", color=_COLOURS[split])
        bars.bar_label(drawn, fontsize=7)
    bars.set_xticks(range(labels), survey.label_names)
    bars.set_ylabel("pictures")
    bars.margins(y=0.12)
    bars.legend(fontsize=8)
    bars.set_title(
        f"{survey.name}: {survey.total:,} pictures, {survey.bad_count:,} damaged ones left out, "
        f"{survey.duplicates.surplus:,} surplus copies",
        fontsize=10,
    )
    side = data.images.shape[1]
    strip.imshow(contact_strip(data), cmap="gray", vmin=0, vmax=255)
    strip.set_yticks([side * (label + 0.5) for label in range(labels)], survey.label_names)
    strip.set_xticks([])
    strip.spines[:].set_visible(False)

    def write(partial: Path) -> None:
        partial.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(partial, dpi=110, format="png")

    atomic_write(path, write)
