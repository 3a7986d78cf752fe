"""The release of networks that read a face: labelled images, accuracy, a softmax."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.inference.classifier import Classifier
from edge.inference.contract import Contract, OutputKind
from edge.types import Gray
from quantize.conversion.calibration_set import PER_LABEL, calibration_rows, draw_images
from quantize.conversion.logit_adjustment import add_offsets, label_offsets
from quantize.conversion.qat import score_divergence
from quantize.release.float_network import FloatNetwork
from quantize.release.model_card import model_card
from quantize.release.training_texts import origin, provenance_of, weights_texts
from quantize.verification.fidelity import Comparison, compare_with_float, scores_of
from train.augment import CropSpec, plain_images
from train.data import Dataset, Split
from train.evaluation.corruptions import CAMERA_ROWS
from train.evaluation.robustness import measure_robustness
from train.evaluation.temperature_scaling import fit_temperature
from train.reports.confusion import save_confusion_png
from train.runs.lookup import crop_spec_of

_LEAST_SCORE = 1e-12  # where the logarithm of a score is taken


class ClassifierRelease:
    """Releases networks that read emotion or gender from a face. The methods are those of `Release`."""

    output_kind: OutputKind = "logits"

    def __init__(self, data: Dataset) -> None:
        """Takes the task's dataset, boxes located."""
        self._data = data
        self.splits: tuple[Split, ...] = ("val", "test") if "test" in data.splits else ("val",)

    def crop(self, settings: Mapping[str, Any]) -> CropSpec:
        """Returns the crop of the recipe."""
        return crop_spec_of(settings)

    def adjusted(self, network: FloatNetwork) -> FloatNetwork:
        """Moves the logits as far towards the labels' frequencies as the recipe says."""
        share = network.settings["recipe"].get("matching", 0.0)
        if not share:
            return network
        training = self._data.part("train")
        logits = network.tta.predict(network.model, plain_images(training, network.crop))
        offsets = label_offsets(logits, training.labels, share)
        add_offsets(network.model, offsets)
        return replace(network, offsets=tuple(map(float, offsets)))

    def calibration(self, network: FloatNetwork) -> Gray:
        """Returns the images of the committed list, or random ones for a recipe of one's own.

        The list fits one form of one dataset; a recipe of one's own may be trained on any.
        """
        if network.is_own:
            return draw_images(self._data, network.crop, PER_LABEL[network.task])
        return plain_images(calibration_rows(network.task, self._data), network.crop)

    def training_images(self, network: FloatNetwork) -> Gray:
        """Returns all images of the training split."""
        return self.images(network, "train")

    def divergence(self, targets: Any, outputs: Any) -> Any:
        """Returns `score_divergence`."""
        return score_divergence(targets, outputs)

    def images(self, network: FloatNetwork, split: Split) -> Gray:
        """Returns all images of a split."""
        return plain_images(self._data.part(split), network.crop)

    def measure(self, network: FloatNetwork, file: Path) -> tuple[float, float]:
        """Returns the temperature that calibrates the confidences, and the score.

        The score is the mean of the accuracy on clean images and that on images as a camera spoils them.
        """
        rows = self._data.part("val")
        score = partial(scores_of, Classifier(file, network.task))
        scores = score(self.images(network, "val"))
        # Logits but for a constant, from the scores that the device's own code returns at a temperature of 1.
        temperature = fit_temperature(np.log(np.maximum(scores, _LEAST_SCORE)), rows.labels)
        clean = float((scores.argmax(axis=1) == rows.labels).mean())
        camera = measure_robustness(self._data, network.crop, score, names=CAMERA_ROWS).camera_accuracy
        return round(temperature, 3), (clean + camera) / 2

    def compare(self, network: FloatNetwork, file: Path, split: Split) -> Comparison:
        """Compares labels and scores."""
        classifier, images = Classifier(file, network.task), self.images(network, split)
        scores = scores_of(classifier, images)
        logits = network.tta.predict(network.model, images) / classifier.contract.temperature
        return compare_with_float(self._data.part(split), split, logits, scores)

    def further_figures(self, network: FloatNetwork, file: Path) -> dict[str, Any]:
        """Returns what it reads on validation images as a camera spoils them."""
        classifier = Classifier(file, network.task)
        robustness = measure_robustness(self._data, network.crop, partial(scores_of, classifier))
        return {"robustness": robustness.to_dict()}

    def plot(self, fidelity: Comparison, contract: Contract, split: Split, run: Path) -> None:
        """Plots the confusion matrix."""
        title = f"{contract.name}, {contract.parameters:,} parameters"
        save_confusion_png(fidelity.after, run / f"{split}-int8-confusion.png", title)

    def further_checks(self, contract: Contract, content: bytes) -> Iterator[str]:
        """Checks nothing more."""
        yield from ()

    def decide(self, contract: Contract, content: bytes, codes: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        """Returns the index of the label with the highest logit."""
        return np.asarray(codes.argmax(axis=1), np.int64)

    def training(self, network: FloatNetwork, tuned: Path | None) -> dict[str, Any]:
        """Returns the texts."""
        recipe, run = network.settings["recipe"], network.path.parent
        offsets = ", ".join(f"{round(offset, 3)}" for offset in network.offsets) or "none"
        return {
            "data": _data_text(self._data, network),
            "recipe": recipe["name"],
            "run": run.name,
            "epochs": recipe["epochs"],
            "goes on from": origin(run, recipe),
            "taught by": ", ".join(recipe["teachers"]) or "labels alone",
            "seed": recipe["seed"],
            "spec": json.dumps(recipe["spec"]),
            "reads": str(network.tta),
            "offsets of the logits": offsets,
            **weights_texts(network, tuned),
            "calibration": _calibration_text(network),
            **provenance_of(network, tuned),
        }

    def card(self, contract: Contract) -> str:
        """Returns the card of `model_card`."""
        return model_card(contract)


def _data_text(data: Dataset, network: FloatNetwork) -> str:
    """Names the dataset, and what else an accelerator trained the network on."""
    packed = network.settings.get("accelerated", {}).get("datasets", ())
    others = "".join(f"; {name}" for name in packed if name != data.name)
    return f"{data.name}, fingerprint {data.fingerprint()}{others}"


def _calibration_text(network: FloatNetwork) -> str:
    if network.is_own:
        return f"up to {PER_LABEL[network.task]} random training images of each label"
    return f"quantize/calibration/{network.task}.json"
