"""The recipes of the networks that find faces, and of the larger ones that are pruned to their size."""

from __future__ import annotations

from dataclasses import replace

from train.crops.photometric import Photometry
from train.models.spec import NetSpec, ProposalSpec, Stage
from train.recipes.face_recipe import FaceRecipe, LossWeights

PROPOSAL = FaceRecipe(
    "proposal",
    "proposal",
    ProposalSpec(stem=8, stages=(Stage(16, 1), Stage(28, 1, stride=1), Stage(36, 5))),
    epochs=80,
    crops=12_000,
)

PROPOSAL_PARENT = replace(
    PROPOSAL,
    name="proposal-parent",
    spec=ProposalSpec(stem=16, stages=(Stage(32, 1), Stage(56, 1, stride=1), Stage(72, 5))),
    epochs=60,
)

# Trained on what the proposal network takes for faces; most of that is easy to tell from one.
REFINEMENT_FIRST = FaceRecipe(
    "refinement-first",
    "refinement",
    # Blocks that are applied several times see more for as many parameters.
    NetSpec(
        stem=12, stages=(Stage(32, 1, 1, repeats=2), Stage(48, 1, repeats=5)), head=20, classes=7, size=32
    ),
    epochs=30,
    crops=60_000,
    validation_crops=8_000,
    photometry=Photometry(blur_px=1.0),
    losses=LossWeights(face=2.0, box=0.5, roll=0.3, yaw=0.2),
    portraits=("utkface", "lfw"),
    hard_negatives=True,
    miner="proposal",
    batch_size=128,
    optimizer="muon",
    learning_rate=0.016,
)

# The hard ones are those that the first network is wrong about.
REFINEMENT = replace(REFINEMENT_FIRST, name="refinement", epochs=110, judge="refinement-first")

# Not among what ships: pruned, it is better at crops than the network of that size, and worse in scenes.
REFINEMENT_PARENT = replace(
    REFINEMENT,
    name="refinement-parent",
    spec=NetSpec(
        stem=20, stages=(Stage(56, 1, 1, repeats=2), Stage(88, 1, repeats=5)), head=32, classes=7, size=32
    ),
    epochs=30,
)

FACE_RECIPES = (PROPOSAL, PROPOSAL_PARENT, REFINEMENT_FIRST, REFINEMENT)
