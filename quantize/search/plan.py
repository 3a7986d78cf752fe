"""How the structures of small networks are searched for and compared."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from edge.errors import ConfigError
from quantize.pruning.plan import PruningPlan
from quantize.search.gate_training import GateSettings
from quantize.search.structure import StageShape, Structure
from train.models.spec import NetSpec, Stage

Method = Literal["gates", "random", "taylor"]
METHODS: tuple[Method, ...] = ("gates", "random", "taylor")
Weights = Literal["inherited", "anew"]
WEIGHTS: tuple[Weights, ...] = ("inherited", "anew")

# Stores 60,575 parameters with every gate open: six times as many as what is searched for.
WIDEST = Structure(
    stem=20,
    stages=(StageShape(56, 1, True, 1, 2), StageShape(104, 2, True, 2, 4)),
    head=32,
    places=True,
)
# Today's parent of the emotion network.
PARENT = NetSpec(stem=24, stages=(Stage(72, 1, 1, repeats=2), Stage(112, 1, repeats=5)), head=28, classes=7)


@dataclass(frozen=True)
class SearchPlan:
    """Settings of a comparison. The field names are those of `plan.json`.

    Attributes:
        target: most stored parameters of what is found.
        seeds: number of searches by each method, and of trainings from each.
        search_epochs: passes over the training images in which the gates are trained. It decides the cost of
            every search.
        draws: number of random structures that share the cost of the gates' search.
        epochs: epochs of training of every network that was found.
        widest: the structure with every gate open.
        parent: the network that is pruned.
        parent_share: share of the search's cost that trains the parent; its pruning takes the rest.
        gates: how gates are trained.
        share: share of the parameters that a step of the pruning removes.
        batches: batches of images that each of these steps measures importance on.
        sample: training images, unchanged, by which the best random structure is chosen.
    """

    target: int = 9_950
    seeds: int = 3
    search_epochs: int = 4
    draws: int = 8
    epochs: int = 8
    widest: Structure = WIDEST
    parent: NetSpec = PARENT
    parent_share: float = 0.5
    gates: GateSettings = field(default_factory=GateSettings)
    share: float = 0.28
    batches: int = 60
    sample: int = 4_000

    def __post_init__(self) -> None:
        counts = {
            name: getattr(self, name) for name in ("target", "seeds", "search_epochs", "draws", "epochs")
        }
        if wrong := [f"{name} {count}" for name, count in counts.items() if count < 1]:
            raise ConfigError(f"{', '.join(wrong)}: expected at least 1")

    def pruning(self, seed: int) -> PruningPlan:
        """Returns the plan by which the parent is pruned."""
        return PruningPlan(self.target, share=self.share, batches=self.batches, epochs=self.epochs, seed=seed)


def training_cost(multiplications: int, images: float) -> int:
    """Counts the multiplications of training: forwards once, and backwards twice as many."""
    return math.ceil(3 * multiplications * images)
