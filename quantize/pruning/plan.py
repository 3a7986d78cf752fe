"""How a trained network is pruned."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from edge.errors import ConfigError
from quantize.pruning.importance import CRITERIA, Criterion
from train.recipes.recipe import SEEDS


@dataclass(frozen=True)
class PruningPlan:
    """Settings of a pruning. The field names are those of `plan.json`.

    Attributes:
        target: largest number of stored parameters that may remain.
        criterion: how the importance of a channel is measured.
        share: share of the parameters that a step removes, above 0 and below 1.
        batches: batches of training images that importance is measured on, drawn anew in each step.
        tuning: epochs of training after each step.
        rate: learning rate of these epochs, above 0.
        epochs: epochs of training after the last step.
        seed: seed of batches, random importance and the order of images, 0 to 2^32 - 1.
        multiple: at the end, stem and stages have a multiple of so many channels, but for those that have
            fewer; 1 for any number. Vector units compute 8 or 16 channels at once: for 37 channels, they
            take as long as for 48.
    """

    target: int
    criterion: Criterion = "taylor"
    share: float = 0.06
    batches: int = 60
    tuning: int = 1
    rate: float = 2e-3
    epochs: int = 30
    seed: int = 1
    multiple: int = 1

    def __post_init__(self) -> None:
        if self.criterion not in CRITERIA:
            raise ConfigError(f"no criterion {self.criterion!r}; expected {', '.join(CRITERIA)}")
        for name in ("target", "batches", "tuning", "epochs", "multiple"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} {getattr(self, name)}, expected at least 1")
        if not 0 < self.share < 1:
            raise ConfigError(f"share {self.share}, expected a number above 0 and below 1")
        # A negative rate would train uphill, which would be noticed only after hours.
        if not 0 < self.rate < math.inf:
            raise ConfigError(f"a learning rate of {self.rate}; expected a number above 0")
        # Otherwise all steps, whose seeds count on from this one, would be trained before `fit` refuses it.
        if not 0 <= self.seed < SEEDS:
            raise ConfigError(f"seed {self.seed}, expected 0 to {SEEDS - 1}")

    def to_dict(self) -> dict[str, Any]:
        """Returns the settings for `plan.json`; `multiple` only where it decides something.

        Plans that were archived before there was a `multiple` are then still those of today.
        """
        settings = asdict(self)
        return settings if self.multiple > 1 else {k: v for k, v in settings.items() if k != "multiple"}
