"""The recipe of a network that finds faces: like `Recipe`, with random crops instead of labelled images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, TypeAlias

from edge.errors import ConfigError, DataError
from train.crops.photometric import Photometry
from train.crops.sampler import FaceTask
from train.models.spec import NetSpec, ProposalSpec, spec_from_dict
from train.recipes.recipe import SEEDS, Optimizer, Precision, Recipe, Schedule


@dataclass(frozen=True)
class LossWeights:
    """How much each part of the loss counts.

    Attributes:
        face: whether there is a face.
        box: its centre and its size.
        roll: its roll; for the refinement network only.
        yaw: its yaw; likewise.
    """

    face: float = 1.0
    box: float = 1.0
    roll: float = 0.0
    yaw: float = 0.0


@dataclass(frozen=True)
class FaceRecipe:
    """A network that finds faces, its crops and its training.

    Attributes:
        name: the recipe's name, after which its runs are named.
        task: "proposal" or "refinement".
        spec: the network to build.
        epochs: number of epochs.
        crops: number of random crops in an epoch; no two epochs have the same.
        validation_crops: number of crops that each epoch is evaluated on, always the same.
        photometry: the changes of light, sharpness and noise.
        losses: weights of the parts of the loss.
        dataset: name of the scenes' dataset.
        portraits: names of further datasets, whose faces the refinement network is trained on, too.
        hard_negatives: whether what the cascade takes for a face is among the counter-examples.
        miner: name of the recipe of a proposal network; what that takes for a face is among them, too. None
            for no such network.
        judge: name of the recipe of an earlier refinement network; of what the miner takes for a face, only
            what this one takes for a face, too, is kept, and where it moves it. None to keep all.
        start: as in `Recipe`, and so are all that follow.
        batch_size: number of crops per step.
        optimizer: name of the optimizer.
        learning_rate: peak of the learning rate.
        schedule: "cosine" or "constant".
        weight_decay: weight decay of "adamw" and "muon".
        averaging: momentum of the running mean of the weights, 0 for none.
        precision: Keras' dtype policy.
        seed: seed of initial weights and crops.
    """

    name: str
    task: FaceTask
    spec: ProposalSpec | NetSpec
    epochs: int
    crops: int
    validation_crops: int = 1_024
    photometry: Photometry = field(default_factory=Photometry)
    losses: LossWeights = field(default_factory=LossWeights)
    dataset: str = "scenes"
    portraits: tuple[str, ...] = ()
    hard_negatives: bool = False
    miner: str | None = None
    judge: str | None = None
    start: str | None = None
    batch_size: int = 48
    optimizer: Optimizer = "adamw"
    learning_rate: float = 4e-3
    schedule: Schedule = "cosine"
    weight_decay: float = 1e-2
    averaging: float = 0.0
    precision: Precision = "float32"
    seed: int = 1

    def __post_init__(self) -> None:
        for key in ("epochs", "crops", "validation_crops", "batch_size"):
            if getattr(self, key) < 1:
                raise ConfigError(f"{self.name}: {key} {getattr(self, key)}, expected at least 1")
        if not 0 <= self.seed < SEEDS:
            raise ConfigError(f"{self.name}: seed {self.seed}, expected 0 to {SEEDS - 1}")
        if not 0 <= self.averaging <= 1:
            raise ConfigError(f"{self.name}: averaging {self.averaging}, expected 0 to 1")
        if self.judge and not self.miner:
            raise ConfigError(f"{self.name}: judge {self.judge} without a miner")
        if isinstance(self.spec, ProposalSpec) != (self.task == "proposal"):
            raise ConfigError(f"{self.name}: {type(self.spec).__name__} is no network for {self.task}")

    @property
    def teachers(self) -> tuple[str, ...]:
        """Names of the recipes whose networks the training asks."""
        return tuple(name for name in (self.miner, self.judge) if name)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> FaceRecipe:
        """Returns the recipe that a run's `run.json` stores as `values`.

        Raises:
            DataError: the values are not those of such a recipe.
        """
        try:
            return cls(
                **{
                    **values,
                    "spec": spec_from_dict(values["spec"]),
                    "photometry": Photometry(**values["photometry"]),
                    "losses": LossWeights(**values["losses"]),
                    "portraits": tuple(values["portraits"]),
                }
            )
        except (KeyError, TypeError, ConfigError) as error:
            raise DataError(f"not the recipe of a network that finds faces ({error}); train anew") from error

    def to_dict(self) -> dict[str, Any]:
        """Returns the recipe for a JSON file."""
        return asdict(self)


AnyRecipe: TypeAlias = Recipe | FaceRecipe
