"""A sheet of what networks look at: faces of every label, and the average of many."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import cv2
import keras
import numpy as np
import numpy.typing as npt

from edge.detection.haar import HaarDetector
from edge.errors import DataError
from edge.inference.preprocess import crop_square, normalize_contrast
from edge.types import Gray
from train.augment import CropSpec, plain_images
from train.data import Dataset
from train.evaluation.predictions import predict
from train.evaluation.saliency import METHODS, saliency
from train.reports.plots import save_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Networks = Mapping[str, keras.Model]

_SAMPLES = 2  # faces of each label
_AVERAGED = 100
_TITLE_WIDTH = 16  # letters above a panel
_PANEL = 1.05  # inches


def save_labels_png(networks: Networks, rows: Dataset, view: CropSpec, path: Path) -> None:
    """Draws a line for each label: some faces with their saliencies, then averages.

    A face is one that all networks read right, if there is any. The average is that of the guided gradients'
    absolute values over the label's first 100 such faces: where the label is read, whoever is looked at.

    Args:
        networks: {what to call it: network of one task}, such as before and after pruning.
        rows: labelled pictures.
        view: how the networks look at a face.
        path: of the picture.

    Raises:
        DataError: a label has no picture.
        OutputError: the picture cannot be written.
    """
    sample = ["face", *(f"{_broken(name)}\n{method}" for name in networks for method in METHODS)]
    means = ["mean face", *(f"{_broken(name)}\nmean guided" for name in networks)]
    titles = [*sample * _SAMPLES, *means]
    figure, panels = _panels(len(rows.label_names), len(titles))
    for label, line in enumerate(panels):
        crops = _faces_of(networks, rows, view, label)
        labels = np.full(len(crops), label)
        cells = [cell for face in _columns(networks, crops[:_SAMPLES], labels[:_SAMPLES]) for cell in face]
        cells += [None] * (len(sample) * _SAMPLES - len(cells))
        cells.append(_Cell("gray", crops.mean(axis=0)))
        cells += [
            _Cell("magma", np.abs(saliency(model, crops, labels)).mean(axis=0)) for model in networks.values()
        ]
        for axes, cell in zip(line, cells, strict=True):
            _draw(axes, cell)
        line[0].set_ylabel(f"{rows.label_names[label]}\n{len(crops)} averaged", fontsize=8)
    for axes, title in zip(panels[0], titles, strict=True):
        axes.set_title(title, fontsize=7)
    save_figure(figure, path)


def save_pictures_png(
    networks: Networks, pictures: Mapping[str, Gray], label_names: Sequence[str], path: Path
) -> None:
    """Draws a line for each picture: the face, and what each network's own answer hangs on.

    Args:
        networks: as for `save_labels_png`.
        pictures: {title: (size, size) uint8 crop}.
        label_names: what the networks answer.
        path: of the picture.

    Raises:
        OutputError: the picture cannot be written.
    """
    figure, panels = _panels(len(pictures), 1 + 2 * len(networks))
    for line, (title, crop) in zip(panels, pictures.items(), strict=True):
        (cells,) = _columns(networks, crop[np.newaxis], None)
        for axes, cell in zip(line, cells, strict=True):
            _draw(axes, cell)
        line[0].set_title(title, fontsize=7)
        for place, (name, model) in enumerate(networks.items()):
            answer = int(keras.ops.convert_to_numpy(model(crop[np.newaxis, ..., np.newaxis])).argmax())
            for axes, method in zip(line[1 + 2 * place :], METHODS, strict=False):
                axes.set_title(f"{_broken(name)}\n{label_names[answer]}, {method}", fontsize=7)
    save_figure(figure, path)


def _broken(name: str) -> str:
    """A name over as many lines as fit above a panel; runs have long ones, of words with hyphens."""
    return "\n".join(textwrap.wrap(name, _TITLE_WIDTH))


def read_face(path: Path, view: CropSpec, detector: HaarDetector) -> Gray:
    """The crop of a picture's largest face as the device makes it; all of the picture where none is found.

    Returns:
        (size, size) uint8.

    Raises:
        DataError: the file is no picture.
    """
    picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if picture is None:
        raise DataError(f"{path}: no picture that OpenCV can read")
    gray = picture.astype(np.uint8)
    found = [each.box for each in detector.detect(gray)]
    if not found:
        small = cv2.resize(gray, (view.size, view.size), interpolation=cv2.INTER_AREA)
        return normalize_contrast(small.astype(np.uint8))
    largest = max(found, key=lambda box: box.width * box.height)
    return normalize_contrast(crop_square(gray, largest, view.size, view.framing))


def _faces_of(networks: Networks, rows: Dataset, view: CropSpec, label: int) -> Gray:
    """Up to `_AVERAGED` crops of a label, those read right if there are any."""
    places = np.flatnonzero(rows.labels == label)[: 4 * _AVERAGED]
    if not len(places):
        raise DataError(f"{rows.name}: no picture of {rows.label_names[label]!r}")
    crops = plain_images(rows.take(places), view)
    right = np.ones(len(crops), dtype=bool)
    for model in networks.values():
        logits = predict(model, crops[..., np.newaxis])
        right &= logits.argmax(axis=1) == label
    return (crops[right] if right.any() else crops)[:_AVERAGED]


@dataclass(frozen=True)
class _Cell:
    """A square to draw: a face in gray, signed numbers in red and blue, or sizes in magma."""

    colours: Literal["gray", "RdBu_r", "magma"]
    values: npt.NDArray[Any]


def _columns(
    networks: Networks, crops: Gray, labels: npt.NDArray[np.int64] | None
) -> list[list[_Cell | None]]:
    """For each crop: itself, then each network's saliency by each method."""
    found = [saliency(model, crops, labels, method) for model in networks.values() for method in METHODS]
    return [
        [_Cell("gray", crop), *(_Cell("RdBu_r", each[place]) for each in found)]
        for place, crop in enumerate(crops)
    ]


def _draw(axes: Any, cell: _Cell | None) -> None:
    """What speaks for the label is red, what speaks against it blue."""
    axes.set_xticks([])
    axes.set_yticks([])
    for side in axes.spines.values():
        side.set_visible(False)
    if cell is None:
        return
    # Single pixels would set the scale for all others.
    largest = 255.0 if cell.colours == "gray" else max(float(np.quantile(np.abs(cell.values), 0.995)), 1e-9)
    least = -largest if cell.colours == "RdBu_r" else 0.0
    axes.imshow(cell.values, cmap=cell.colours, vmin=least, vmax=largest)


def _panels(lines: int, columns: int) -> tuple[Figure, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(0.5 + _PANEL * columns, 0.4 + (_PANEL + 0.12) * lines), layout="constrained")
    return figure, figure.subplots(lines, columns, squeeze=False)
