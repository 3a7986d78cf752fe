"""Saliency plots: which pixels of a face a network's output depends on."""

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
from edge.inference.preprocess import crop_square, normalize_face
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
_AVERAGED = 100  # faces of each label
_TITLE_WIDTH = 16  # characters above a panel
_PANEL_INCHES = 1.05


def save_labels_png(networks: Networks, rows: Dataset, crop: CropSpec, path: Path) -> None:
    """Draws a line for each label: a few faces with their saliencies, then averages over many faces.

    The faces are those that all networks classify correctly, or any if there are none. The average is that of
    the guided gradients' absolute values over the label's first 100 such faces.

    Args:
        networks: {title: network}, such as before and after pruning; all of the same task.
        rows: labelled images.
        crop: how the networks crop a face.
        path: PNG file to write.

    Raises:
        DataError: a label has no image.
        OutputError: the file cannot be written.
    """
    sample = ["face", *(f"{_wrap(name)}\n{method}" for name in networks for method in METHODS)]
    means = ["mean face", *(f"{_wrap(name)}\nmean guided" for name in networks)]
    titles = [*sample * _SAMPLES, *means]
    figure, panels = _panels(len(rows.label_names), len(titles))
    for label, line in enumerate(panels):
        crops = _faces_of(networks, rows, crop, label)
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
    networks: Networks, faces: Mapping[str, Gray], label_names: Sequence[str], path: Path
) -> None:
    """Draws a line for each face: the face, and the saliency of the label that each network predicts.

    Args:
        networks: {title: network}, as for `save_labels_png`.
        faces: {title: crop}, each (size, size) uint8.
        label_names: names of the networks' labels.
        path: PNG file to write.

    Raises:
        OutputError: the file cannot be written.
    """
    figure, panels = _panels(len(faces), 1 + 2 * len(networks))
    for line, (title, crop) in zip(panels, faces.items(), strict=True):
        (cells,) = _columns(networks, crop[np.newaxis], None)
        for axes, cell in zip(line, cells, strict=True):
            _draw(axes, cell)
        line[0].set_title(title, fontsize=7)
        for index, (name, model) in enumerate(networks.items()):
            predicted = int(keras.ops.convert_to_numpy(model(crop[np.newaxis, ..., np.newaxis])).argmax())
            for axes, method in zip(line[1 + 2 * index :], METHODS, strict=False):
                axes.set_title(f"{_wrap(name)}\n{label_names[predicted]}, {method}", fontsize=7)
    save_figure(figure, path)


def _wrap(name: str) -> str:
    """Breaks a name into lines that fit above a panel: runs have long names of words with hyphens."""
    return "\n".join(textwrap.wrap(name, _TITLE_WIDTH))


def read_face(path: Path, crop: CropSpec, detector: HaarDetector) -> Gray:
    """Returns the crop of a picture's largest face as the device makes it; without a face, of all of it.

    Returns:
        (size, size) uint8.

    Raises:
        DataError: the file is no picture.
    """
    picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if picture is None:
        raise DataError(f"{path}: no picture that OpenCV can read")
    gray = picture.astype(np.uint8)
    boxes = [detection.box for detection in detector.detect(gray)]
    if not boxes:
        small = cv2.resize(gray, (crop.size, crop.size), interpolation=cv2.INTER_AREA)
        return normalize_face(small.astype(np.uint8))
    largest = max(boxes, key=lambda box: box.width * box.height)
    return normalize_face(crop_square(gray, largest, crop.size, crop.framing))


def _faces_of(networks: Networks, rows: Dataset, crop: CropSpec, label: int) -> Gray:
    """Returns up to `_AVERAGED` crops of a label: those that are classified correctly, if there are any."""
    indices = np.flatnonzero(rows.labels == label)[: 4 * _AVERAGED]
    if not len(indices):
        raise DataError(f"{rows.name}: no picture of {rows.label_names[label]!r}")
    crops = plain_images(rows.take(indices), crop)
    correct = np.ones(len(crops), dtype=bool)
    for model in networks.values():
        logits = predict(model, crops[..., np.newaxis])
        correct &= logits.argmax(axis=1) == label
    return (crops[correct] if correct.any() else crops)[:_AVERAGED]


@dataclass(frozen=True)
class _Cell:
    """A square to draw: a face in gray, signed values in red and blue, or absolute values in magma."""

    colours: Literal["gray", "RdBu_r", "magma"]
    values: npt.NDArray[Any]


def _columns(
    networks: Networks, crops: Gray, labels: npt.NDArray[np.int64] | None
) -> list[list[_Cell | None]]:
    """Returns the cells of each crop: the crop, then each network's saliency by each method."""
    maps = [saliency(model, crops, labels, method) for model in networks.values() for method in METHODS]
    return [
        [_Cell("gray", crop), *(_Cell("RdBu_r", saliencies[index]) for saliencies in maps)]
        for index, crop in enumerate(crops)
    ]


def _draw(axes: Any, cell: _Cell | None) -> None:
    """Draws a cell; pixels that speak for the label are red, those that speak against it are blue."""
    axes.set_xticks([])
    axes.set_yticks([])
    for side in axes.spines.values():
        side.set_visible(False)
    if cell is None:
        return
    # A quantile instead of the maximum, which single pixels would set.
    largest = 255.0 if cell.colours == "gray" else max(float(np.quantile(np.abs(cell.values), 0.995)), 1e-9)
    least = -largest if cell.colours == "RdBu_r" else 0.0
    axes.imshow(cell.values, cmap=cell.colours, vmin=least, vmax=largest)


def _panels(lines: int, columns: int) -> tuple[Figure, Any]:
    from matplotlib.figure import Figure

    figure = Figure(
        figsize=(0.5 + _PANEL_INCHES * columns, 0.4 + (_PANEL_INCHES + 0.12) * lines), layout="constrained"
    )
    return figure, figure.subplots(lines, columns, squeeze=False)
