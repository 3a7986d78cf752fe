"""The release of networks that find faces: random crops of scenes, precision and recall, a sigmoid."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.detection.outputs import CROP_MARGIN
from edge.inference.contract import PROPOSAL_STRIDE, Contract, OutputKind
from edge.inference.interpreter import open_interpreter
from edge.inference.network import Network
from edge.inference.preprocess import Framing
from edge.types import Gray
from quantize.conversion.calibration_crops import calibration_crops, read_seed
from quantize.conversion.qat import detection_divergence
from quantize.release.face_card import face_card
from quantize.release.float_network import FloatNetwork
from quantize.release.training_texts import origin, provenance_of, weights_texts
from quantize.verification.face_fidelity import (
    FaceComparison,
    compare_faces,
    fit_face_temperature,
    outputs_of,
    takes_for_face,
)
from quantize.verification.portrait_groups import portrait_crops, recall_by_group
from quantize.verification.runtimes import check_other_sizes
from train.augment import CropSpec
from train.crops.sampler import FaceTask, draw_crops
from train.crops.sources import CropSources, FaceData
from train.data import Split
from train.evaluation.face_figures import HEADLINES, FaceEvaluation
from train.evaluation.refinement_figures import FALSE_ALARMS, RefinementFigures
from train.recipes.face_recipe import FaceRecipe
from train.reports.face_plots import save_precision_recall_png
from train.training.crop_epochs import sampler_of

# Crops that files are compared on, whatever their runs were validated on.
CROPS: dict[FaceTask, int] = {"proposal": 2_000, "refinement": 8_000}
_TUNING_CROPS: Mapping[FaceTask, int] = {"proposal": 6_000, "refinement": 30_000}
_TUNING_SEED = 2  # other crops than those of calibration
# Heights and widths of images that a proposal network must read: of a window, and of reduced frames.
_SIZES_HW = ((64, 64), (96, 160), (240, 320))


class DetectorRelease:
    """Releases proposal and refinement networks. The methods are those of `Release`."""

    output_kind: OutputKind = "detection"
    splits: tuple[Split, ...] = ("val",)

    def __init__(self, data: FaceData) -> None:
        """Takes what crops are taken from."""
        self._data = data
        self._evaluation = cache(self._draw_evaluation)

    def crop(self, settings: Mapping[str, Any]) -> CropSpec:
        """Returns the refinement network's margin; the proposal network reads pictures as they are."""
        recipe = settings["recipe"]
        margin = CROP_MARGIN if recipe["task"] == "refinement" else 1.0
        return CropSpec(recipe["spec"]["size"], Framing(margin, 0.0))

    def adjusted(self, network: FloatNetwork) -> FloatNetwork:
        """Returns the network as it is."""
        return network

    def calibration(self, network: FloatNetwork) -> Gray:
        """Returns random crops of the training split, as many as the committed file says."""
        recipe = _recipe(network)
        return calibration_crops(recipe.task, sampler_of(recipe, self._data.train))

    def training_images(self, network: FloatNetwork) -> Gray:
        """Returns random crops of the training split."""
        recipe = _recipe(network)
        sampler = sampler_of(recipe, self._data.train)
        return draw_crops(sampler, _TUNING_SEED, 0, range(_TUNING_CROPS[recipe.task]))[0]

    def divergence(self, targets: Any, outputs: Any) -> Any:
        """Returns `detection_divergence`."""
        return detection_divergence(targets, outputs)

    def images(self, network: FloatNetwork, split: Split) -> Gray:
        """Returns crops of a split, half of them dim, always the same."""
        return self._evaluation(_recipe(network).task, network.crop.size, split).crops.images

    def measure(self, network: FloatNetwork, file: Path) -> tuple[float, float]:
        """Returns the temperature (see `fit_face_temperature`), and the figure of `HEADLINES`."""
        task = _recipe(network).task
        evaluation = self._evaluation(task, network.crop.size, "val")
        outputs = outputs_of(Network.open(file, task), evaluation.crops.images)
        score = evaluation.figures(lambda _: outputs).headlines[HEADLINES[task]]
        return round(fit_face_temperature(evaluation, outputs), 3), score

    def compare(self, network: FloatNetwork, file: Path, split: Split) -> FaceComparison:
        """Compares the faces that are found, and all outputs."""
        task = _recipe(network).task
        evaluation, device = self._evaluation(task, network.crop.size, split), Network.open(file, task)
        before = network.tta.predict(network.model, evaluation.crops.images)
        after = outputs_of(device, evaluation.crops.images)
        name = f"{self._data.name} {split}"
        comparison = compare_faces(evaluation, name, before, after, device.contract.temperature)
        return replace(comparison, groups=self._groups(comparison, device, split))

    def further_figures(self, network: FloatNetwork, file: Path) -> dict[str, Any]:
        """Returns nothing more."""
        return {}

    def plot(self, fidelity: FaceComparison, contract: Contract, split: Split, run: Path) -> None:
        """Plots precision and recall."""
        title = f"{contract.name}, {contract.parameters:,} parameters\n{fidelity.split}"
        save_precision_recall_png(fidelity.after, run / f"{split}-int8-precision-recall.png", title)

    def further_checks(self, contract: Contract, content: bytes) -> Iterator[str]:
        """Checks that a proposal network reads images of other sizes in every runtime."""
        if contract.task == "proposal":
            check_other_sizes(content, _SIZES_HW, PROPOSAL_STRIDE)
            sizes = ", ".join(f"{width}x{height}" for height, width in _SIZES_HW)
            yield f"  reads images of {sizes} alike in every runtime"

    def decide(self, contract: Contract, content: bytes, codes: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        """Returns whether each crop, or each of its cells, is taken for a face."""
        scale, zero_point = open_interpreter(content).get_output_details()[0]["quantization"]
        task: FaceTask = "proposal" if contract.task == "proposal" else "refinement"
        return takes_for_face(task, (codes[..., 0] - zero_point) * scale).astype(np.int64)

    def training(self, network: FloatNetwork, tuned: Path | None) -> dict[str, Any]:
        """Returns the texts."""
        recipe, run, data = _recipe(network), network.path.parent, self._data
        seed, count = read_seed(recipe.task)
        return {
            "data": f"{data.name}, fingerprint {data.fingerprint()}",
            **{f"{split} split": _describe(data.part(split)) for split in ("train", "val")},
            "beside": ", ".join(f"{name} {digest}" for name, digest in data.digests().items()) or "nothing",
            "recipe": recipe.name,
            "run": run.name,
            "epochs": recipe.epochs,
            "crops an epoch": recipe.crops,
            "goes on from": origin(run, network.settings["recipe"]),
            "counter-examples mined by": ", judged by ".join(recipe.teachers) or "no network",
            "seed": recipe.seed,
            "spec": json.dumps(network.settings["recipe"]["spec"]),
            **weights_texts(network, tuned),
            "calibration": f"{count} random crops of the training split, seed {seed} "
            f"(quantize/calibration/{recipe.task}.json)",
            **provenance_of(network, tuned),
        }

    def card(self, contract: Contract) -> str:
        """Returns the card of `face_card`."""
        return face_card(contract)

    def _groups(self, comparison: FaceComparison, network: Network, split: Split) -> dict[str, Any]:
        """Returns the recall of each group of people at the first of `FALSE_ALARMS`."""
        figures, groups = comparison.after, dict[str, Any]()
        if isinstance(figures, RefinementFigures):
            for portraits in self._data.part(split).portraits:
                if portraits.groups:
                    crops = portrait_crops(portraits, network.contract.size)
                    logits = outputs_of(network, crops)[:, 0]
                    groups |= recall_by_group(portraits, logits, figures.threshold(FALSE_ALARMS[0]))
        return groups

    def _draw_evaluation(self, task: FaceTask, size: int, split: Split) -> FaceEvaluation:
        return FaceEvaluation.of(task, self._data.part(split), size, CROPS[task])


def _recipe(network: FloatNetwork) -> FaceRecipe:
    return FaceRecipe.from_dict(network.settings["recipe"])


def _describe(sources: CropSources) -> str:
    images = sources.images
    text = (
        f"{len(images):,} pictures, {len(images.face_free):,} of them without any face; "
        f"{len(images.clear_faces):,} clear faces"
    )
    if len(sources.hard_negatives):
        text += f"; {len(sources.hard_negatives):,} boxes that the cascade took for faces"
    portraits = sum(map(len, sources.portraits))
    return f"{text}; {portraits:,} portraits" if portraits else text
