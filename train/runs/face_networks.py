"""Opens networks that read a face, whether they are int8 files or trained runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge.errors import ConfigError
from edge.inference.classifier import Classifier
from edge.inference.contract import read_model
from edge.labels import TASKS
from edge.types import Gray
from train.augment import CropSpec
from train.data import Dataset
from train.evaluation.predictions import predict
from train.evaluation.robustness import Score
from train.evaluation.temperature_scaling import softmax
from train.runs.inputs import DATASETS
from train.runs.lookup import crop_spec_of, load_checkpoint, read_settings, runs_to_show
from train.runs.results import read_object

_FILES = (".tflite", ".json")


@dataclass(frozen=True)
class FaceNetwork:
    """A network that reads a face.

    Attributes:
        name: name of the file or of the run's folder.
        dataset: name of the dataset that it was trained on.
        labels: labels in the order of its scores.
        crop: size and framing of its crops.
        score: returns its scores, divided by its temperature.
        folder: folder of the run; None for an int8 file.
    """

    name: str
    dataset: str
    labels: tuple[str, ...]
    crop: CropSpec
    score: Score
    folder: Path | None = None


def open_networks(name: str, runs: Path) -> list[FaceNetwork]:
    """Opens what a name stands for: an int8 file, or the runs of `runs_to_show` with their best checkpoints.

    An int8 file is run by the device's own code, with the views and the temperature that it ships. A run's
    network sees each crop once, and has the temperature that was fitted to it, or 1 if it was not evaluated.

    Raises:
        ConfigError: the name stands for nothing, or for a network that finds faces.
        DataError: a run is incomplete.
        ModelError: a file is missing or damaged.
    """
    if name.endswith(_FILES):
        return [_open_file(Path(name))]
    return [_open_run(folder) for folder in runs_to_show(name, runs)]


def refuse_other_labels(network: FaceNetwork, data: Dataset) -> None:
    """Refuses to evaluate a network on data with other labels.

    Raises:
        ConfigError: the labels differ, or have another order.
    """
    if network.labels != data.label_names:
        raise ConfigError(
            f"{network.name} has the labels {', '.join(network.labels)}; {data.name} has "
            f"{', '.join(data.label_names)}"
        )


def _open_file(path: Path) -> FaceNetwork:
    contract, _ = read_model(path)
    if contract.task not in TASKS:
        raise ConfigError(f"{path} finds faces; expected a network that reads a face")
    classifier = Classifier(path, contract.task)

    def score(crops: Gray) -> Any:
        return np.array([classifier.classify(crop).values for crop in crops])

    crop = CropSpec(contract.size, contract.framing)
    return FaceNetwork(contract.name, DATASETS[contract.task], contract.labels, crop, score)


def _open_run(folder: Path) -> FaceNetwork:
    settings = read_settings(folder)
    crop, model, temperature = crop_spec_of(settings), load_checkpoint(folder), _temperature(folder)

    def score(crops: Gray) -> Any:
        return softmax(predict(model, crops[..., np.newaxis]), temperature)

    return FaceNetwork(
        folder.name, settings["recipe"]["dataset"], tuple(settings["labels"]), crop, score, folder
    )


def _temperature(folder: Path) -> float:
    file = folder / "val.json"
    figures = read_object(file) if file.exists() else {}
    return float(figures.get("calibration", {}).get("temperature", 1.0))
