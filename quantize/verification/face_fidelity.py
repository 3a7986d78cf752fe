"""Whether an int8 file finds the faces that its float parent finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.inference.network import Network
from edge.labels import LABELS
from edge.types import Gray
from train.crops import proposal_targets, refinement
from train.crops.sampler import FaceTask
from train.crops.validation import ProposalValidation, RefinementValidation
from train.evaluation.face_figures import HEADLINES, FaceEvaluation, FaceFigures
from train.evaluation.temperature_scaling import expected_calibration_error, fit_temperature
from train.progress import tracked

Floats = npt.NDArray[np.float32]

# An int8 network that loses more of its headline figure, or decides otherwise more often, counts as another
# network. Both are shares. Of the proposal network's cells nearly all hold no face, so agreement counts only
# cells that either network takes for a face; many of them lie next to a centre and near the threshold. The
# first networks had 91 % and 99 %.
LARGEST_LOSS = 0.01
LEAST_AGREEMENT: Mapping[FaceTask, float] = {"proposal": 0.85, "refinement": 0.98}
# Scores from which on a cell is a candidate, and a crop a face.
_DECISIONS: Mapping[FaceTask, float] = {"proposal": 0.3, "refinement": 0.5}


@dataclass(frozen=True)
class FaceComparison:
    """Comparison of a float network that finds faces with its int8 file, on the same crops.

    Attributes:
        task: "proposal" or "refinement".
        split: name of the split.
        before: figures of the float network.
        after: figures of the int8 file.
        agreement: share of equal decisions, 0 to 1; of the proposal network, share of the cells that either
            takes for a face which both take for one.
        differences: {output: mean absolute difference in units of `edge.detection.outputs`}; all but "face"
            only where there is a face.
        calibration_error: expected calibration error of the int8 file's confidences, 0 to 1; None for the
            proposal network.
        groups: {group of people: {"count", "recall"}} of the int8 file (see `recall_by_group`); empty where
            the data has no groups.
    """

    task: FaceTask
    split: str
    before: FaceFigures
    after: FaceFigures
    agreement: float
    differences: Mapping[str, float]
    calibration_error: float | None
    groups: Mapping[str, Any] = field(default_factory=dict)

    @property
    def fault(self) -> str:
        """Why the file is not faithful to its parent; empty if it is."""
        name = HEADLINES[self.task]
        before, after = (figures.headlines[name] for figures in (self.before, self.after))
        if before - after > LARGEST_LOSS:
            return (
                f"{name.replace('_', ' ')} {after:.2%} in int8, {before:.2%} in float; more than "
                f"{LARGEST_LOSS:.0%} lost"
            )
        least = LEAST_AGREEMENT[self.task]
        if self.agreement < least:
            return (
                f"int8 and float agree on {self.agreement:.2%} of what either takes for a face; expected at "
                f"least {least:.0%}"
            )
        return ""

    def to_dict(self) -> dict[str, Any]:
        """Returns the figures as the contract holds them."""
        groups = {"groups": dict(self.groups)} if self.groups else {}
        return {"int8": {"split": self.split, **self.after.to_dict()}, **self._further(), **groups}

    def headline(self) -> dict[str, Any]:
        """Returns the figures without those of each band."""
        return {"int8": _rounded(self.after.headlines), **self._further()}

    def summary(self) -> str:
        """Returns the headline figures of both, and agreement, in words."""
        before, after = self.before.headlines, self.after.headlines
        figures = (f"{name.replace('_', ' ')} {after[name]:.2%} (float {before[name]:.2%})" for name in after)
        return f"{', '.join(figures)}, equal decisions {self.agreement:.2%}"

    def _further(self) -> dict[str, Any]:
        calibration = self.calibration_error
        return {
            "float": _rounded(self.before.headlines),
            "decision_agreement": round(self.agreement, 4),
            "mean_differences": _rounded(self.differences),
            **({} if calibration is None else {"calibration_error": round(calibration, 4)}),
        }


def outputs_of(network: Network, images: Gray) -> Floats:
    """Returns the (N, ...) outputs of (N, size, size) uint8 images, by the code that runs on the device."""
    bar = tracked(images, network.contract.name, "crops")
    codes = np.array([network.run(image) for image in bar])
    return ((codes.astype(np.float32) - network.zero_point) * network.scale).astype(np.float32)


def compare_faces(
    evaluation: FaceEvaluation, split: str, before: Floats, after: Floats, temperature: float = 1.0
) -> FaceComparison:
    """Compares the outputs of both networks for the same crops.

    Args:
        evaluation: the crops.
        split: name of their split.
        before: (N, ...) outputs of the float network.
        after: (N, ...) outputs of the int8 file.
        temperature: divisor of the int8 file's logits before the sigmoid.
    """
    crops, task = evaluation.crops, evaluation.task
    counts, places = _where(crops)
    logits = before[..., 0], after[..., 0]
    taken = [takes_for_face(task, each)[counts] for each in logits]
    either = (taken[0] | taken[1]) if task == "proposal" else np.ones_like(taken[0])
    agreement = float((taken[0] == taken[1])[either].mean()) if either.any() else 1.0
    differences = np.abs(before - after)
    means = [differences[..., 0][counts].mean()]
    means += [differences[..., channel][places].mean() for channel in range(1, before.shape[-1])]
    return FaceComparison(
        task,
        split,
        evaluation.figures(lambda _: before),
        evaluation.figures(lambda _: after),
        agreement,
        dict(zip(LABELS[task], map(float, means), strict=True)),
        _calibration_error(crops, after / temperature) if isinstance(crops, RefinementValidation) else None,
    )


def takes_for_face(task: FaceTask, logits: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Returns whether each logit of any shape stands for a face, or for a candidate."""
    score = _DECISIONS[task]
    return np.asarray(logits >= np.log(score / (1 - score)), np.bool_)


def fit_face_temperature(evaluation: FaceEvaluation, outputs: Floats) -> float:
    """Returns the temperature that makes the sigmoid of a logit the probability of a face, 0.25 to 8.

    It is 1 for the proposal network. What that returns is the heat of CenterNet's loss, which says how near a
    cell is to a face's centre: its neighbours are neither faces nor none, so there is no share of correct
    ones to fit it to. The device compares it with a threshold, and takes its confidence from the refinement
    network.
    """
    if isinstance(evaluation.crops, ProposalValidation):
        return 1.0
    faces = (evaluation.crops.targets[:, refinement.FACE] > 0).astype(np.int64)
    logits = outputs[:, 0].astype(np.float64)
    return fit_temperature(np.stack([np.zeros_like(logits), logits], axis=1), faces)


def _where(
    crops: ProposalValidation | RefinementValidation,
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Returns masks of the cells or crops whose "face" counts, and of those whose other outputs count."""
    if isinstance(crops, ProposalValidation):
        counts, places = proposal_targets.COUNTS, proposal_targets.WEIGHT
        return crops.targets[..., counts] > 0, crops.targets[..., places] > 0
    return np.ones(len(crops.targets), np.bool_), crops.targets[:, refinement.FACE] > 0


def _calibration_error(crops: RefinementValidation, scaled: Floats) -> float:
    score = 1 / (1 + np.exp(-scaled[:, 0].astype(np.float64)))
    right = (score >= 0.5) == (crops.targets[:, refinement.FACE] > 0)
    return expected_calibration_error(np.maximum(score, 1 - score), right)


def _rounded(figures: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in figures.items()}
