"""The figures of any network that finds faces, from any function that runs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from train.crops.sampler import FaceTask
from train.crops.sources import CropSources
from train.crops.validation import (
    ProposalValidation,
    RefinementValidation,
    proposal_validation,
    refinement_validation,
)
from train.evaluation.proposal_figures import Predict, ProposalFigures, proposal_figures
from train.evaluation.refinement_figures import RefinementFigures, refinement_figures

FaceFigures: TypeAlias = ProposalFigures | RefinementFigures

# The one of a network's `headlines` by which the best epoch and the best network are chosen.
HEADLINES: Mapping[FaceTask, str] = {"proposal": "average_precision", "refinement": "log_average_recall"}


@dataclass(frozen=True)
class FaceEvaluation:
    """The validation of one task, always on the same crops of a split.

    Attributes:
        task: "proposal" or "refinement".
        crops: the crops.
    """

    task: FaceTask
    crops: ProposalValidation | RefinementValidation

    @classmethod
    def of(cls, task: FaceTask, sources: CropSources, size: int, count: int) -> FaceEvaluation:
        """Draws the crops.

        Args:
            task: what the network does.
            sources: the sources of a split.
            size: side of the crops in pixels.
            count: number of crops.
        """
        draw = proposal_validation if task == "proposal" else refinement_validation
        return cls(task, draw(sources, size, count))

    def figures(self, predict: Predict) -> FaceFigures:
        """Evaluates a network.

        Args:
            predict: from (N, size, size) uint8 to the outputs, (N, ...) float32.
        """
        if isinstance(self.crops, ProposalValidation):
            return proposal_figures(predict, self.crops)
        return refinement_figures(predict, self.crops)
