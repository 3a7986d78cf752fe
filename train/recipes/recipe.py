"""What is trained and how: one frozen value holds everything that decides a result."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from edge.errors import ConfigError
from edge.inference.preprocess import Framing
from edge.labels import Task
from train.augment import Augmentation, CropSpec
from train.models.spec import Spec

Optimizer = Literal["adamw", "adam", "momentum", "muon"]
Schedule = Literal["cosine", "constant", "plateau"]
Precision = Literal["float32", "mixed_bfloat16"]

# What numpy and Keras can be seeded with: below this.
SEEDS = 2**32


@dataclass(frozen=True)
class Recipe:
    """A network, its task and its training.

    Attributes:
        name: the recipe's name.
        task: what is read from a face.
        spec: the network.
        framing: how the crop lies around the cascade's box: what makes a face on the device look as the
            faces of the set do (`python -m train framing` measures it).
        epochs: passes over the training split.
        dataset: what it is trained on, a name of `train.data.load_named`.
        start: the recipe whose best checkpoint this one goes on from; None starts from random weights.
        teachers: recipes whose networks' answers are part of the targets (Hinton et al. 2015,
            arXiv:1503.02531); empty for none.
        teaching: share of the teachers' answers in the targets, 0 to 1.
        votes: share of what FER+'s votes let expect in the rest of the targets, 0 to 1.
        label_smoothing: 0 to 1 (Szegedy et al. 2015, arXiv:1512.00567); the labels are known to be noisy.
        balance: weights each label (and age band, where the set has ages) by its count to the power of minus
            this: 0 as the set has them, 1 evenly.
        matching: how far the answers of the quantized network are moved towards each label being answered as
            often as it occurs, 0 to 1 (`quantize.conversion.logit_adjustment`).
        augmentation: how far pictures are changed; None leaves them as they are.
        views: an epoch takes the next of this many sets, mirrored at random: the original and changed copies
            of it that are made once; 0 changes pictures anew for every epoch.
        standardize: centre and scale pixels by the training split's mean and deviation.
        batch_size: pictures a step.
        optimizer: "adamw" (Loshchilov and Hutter 2017, arXiv:1711.05101), "adam", "momentum": SGD with
            Nesterov momentum 0.9, or "muon": see `train.training.optimizers`.
        learning_rate: its peak; with "muon" that of the 1x1 kernels.
        schedule: "cosine" rises over the first epoch and falls along a cosine to nearly nothing; "plateau"
            falls to a tenth where the validation loss no longer falls (`plateau_rate`); or "constant".
        weight_decay: of AdamW; with "muon" that of the 1x1 kernels, the others have none.
        averaging: weight of the past in a running mean of the weights, which is what is evaluated and kept;
            0 for none.
        precision: of Keras' layers; weights and sums stay float32.
        seed: of weights, order and augmentation, 0 to 2^32 - 1.
    """

    name: str
    task: Task
    spec: Spec
    framing: Framing
    epochs: int
    dataset: str = "fer2013"
    start: str | None = None
    teachers: tuple[str, ...] = ()
    teaching: float = 0.0
    votes: float = 0.0
    label_smoothing: float = 0.0
    balance: float = 0.0
    matching: float = 0.0
    augmentation: Augmentation | None = field(default_factory=Augmentation)
    views: int = 0
    standardize: bool = False
    batch_size: int = 64
    optimizer: Optimizer = "adamw"
    learning_rate: float = 4e-3
    schedule: Schedule = "cosine"
    weight_decay: float = 2e-3
    averaging: float = 0.0
    precision: Precision = "float32"
    seed: int = 1

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_size < 1 or self.views < 0:
            raise ConfigError(
                f"{self.epochs} epochs of batches of {self.batch_size}, {self.views} views: epochs and batch "
                "must be at least 1, views at least 0"
            )
        if not 0 <= self.seed < SEEDS:
            raise ConfigError(f"{self.name}: seed {self.seed}, expected 0 to {SEEDS - 1}")
        for key in ("teaching", "votes", "label_smoothing", "balance", "matching", "averaging"):
            if not 0 <= getattr(self, key) <= 1:
                raise ConfigError(f"{self.name}: {key} {getattr(self, key)}, expected 0 to 1")
        if bool(self.teachers) != bool(self.teaching) or (self.teachers and not self.views):
            raise ConfigError(f"{self.name}: teachers, their share and a number of views belong together")

    @property
    def crop(self) -> CropSpec:
        """How the network looks at a face."""
        return CropSpec(self.spec.size, self.framing)

    def to_dict(self) -> dict[str, Any]:
        """The recipe as JSON holds it."""
        return asdict(self)
