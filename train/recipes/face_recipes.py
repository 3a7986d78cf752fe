"""The recipes of the networks that find faces, and of the larger ones that are pruned to their size."""

from __future__ import annotations

from dataclasses import replace

from train.crops.photometric import Photometry
from train.models.spec import ProposalSpec, RefinementSpec, Stage
from train.recipes.face_recipe import FaceRecipe, LossWeights

PROPOSAL = FaceRecipe(
    "proposal",
    "proposal",
    ProposalSpec(stem=8, stages=(Stage(16, 1), Stage(28, 1, stride=1), Stage(36, 5))),
    epochs=96,
    crops=12_000,
)

PROPOSAL_PARENT = replace(
    PROPOSAL,
    name="proposal-parent",
    spec=ProposalSpec(stem=16, stages=(Stage(32, 1), Stage(56, 1, stride=1), Stage(72, 5))),
    epochs=60,
)

REFINEMENT = FaceRecipe(
    "refinement",
    "refinement",
    RefinementSpec(stem=8, stages=(Stage(18, 2), Stage(32, 3), Stage(40, 2)), head=12),
    epochs=44,
    crops=60_000,
    validation_crops=8_000,
    photometry=Photometry(blur_px=1.0),
    losses=LossWeights(face=2.0, box=0.5, roll=0.3, yaw=0.2),
    portraits=("utkface", "lfw"),
    hard_negatives=True,
    miner="proposal",
    batch_size=128,
)

REFINEMENT_PARENT = replace(
    REFINEMENT,
    name="refinement-parent",
    spec=RefinementSpec(stem=16, stages=(Stage(36, 2), Stage(64, 3), Stage(80, 2)), head=24),
    epochs=30,
)

FACE_RECIPES = (PROPOSAL, PROPOSAL_PARENT, REFINEMENT, REFINEMENT_PARENT)
