"""The recipe: one frozen value with everything that determines the result of a training."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from edge.errors import ConfigError
from edge.inference.preprocess import Framing
from edge.labels import Task
from train.augment import Augmentation, CropSpec
from train.models.spec import ClassifierSpec
from train.spoiling import Spoiling

Optimizer = Literal["adamw", "adam", "momentum", "muon"]
Schedule = Literal["cosine", "constant", "plateau"]
Precision = Literal["float32", "mixed_bfloat16"]

# NumPy and Keras accept seeds below this.
SEEDS = 2**32


@dataclass(frozen=True)
class Recipe:
    """A network, its task, its data and its training.

    The targets of an image are probabilities of the labels, mixed from up to three sources: the label itself
    (one-hot), FER+'s votes, and the scores of teachers:

        teaching * teachers + (1 - teaching) * (votes * FER+ + (1 - votes) * label)

    Attributes:
        name: the recipe's name, after which its runs are named.
        task: "emotion" or "gender".
        spec: the network to build.
        framing: size and position of the crop relative to the cascade's box, chosen so that the device crops
            faces as the dataset does (`python -m train framing` measures it).
        epochs: number of passes over the training split.
        dataset: name of the dataset, one of those of `train.data.load_named`.
        start: name of the recipe whose best checkpoint provides the initial weights; None for random weights.
        teachers: names of the recipes that this network is distilled from: the mean of their networks' scores
            is part of the targets (Hinton et al. 2015, arXiv:1503.02531). Empty for none.
        teaching: share of the teachers' scores in the targets, 0 to 1.
        votes: share of the soft labels from FER+'s votes (`train.data.ferplus`) in that part of the targets
            which is not the teachers', 0 to 1.
        label_smoothing: share of the targets that is spread evenly over all labels, 0 to 1, since labels are
            noisy (Szegedy et al. 2015, arXiv:1512.00567).
        balance: exponent of the class weights, 0 to 1. A row's weight in the loss is the number of rows with
            its label (and age band, where the dataset has ages) to the power of minus `balance`: 0 weights
            all rows alike, 1 gives all labels the same total weight.
        matching: strength of the logit adjustment after quantization, 0 to 1, which moves the int8 model's
            predictions towards each label's frequency (`quantize.conversion.logit_adjustment`).
        augmentation: limits of the random changes to images; None trains on unchanged images.
        views: number of copies of the training split that are made before training: the original images and
            `views - 1` augmented copies. Each epoch trains on the next copy, with images flipped at random.
            0 augments the images anew for every epoch. Teachers need copies, since they score each one once.
        spoiling: how a share of the images of each epoch is spoiled as by a camera, on top of
            `augmentation`; None for none. Teachers answer for the image before.
        appearances: how often the images of each label are seen in an epoch, in the order of the labels;
            empty for once. Unlike `balance`, it leaves the loss of an image alone: with teachers, whose
            answers hold for images and not for labels, rare labels are learned better and no other is learned
            worse.
        standardize: whether pixels are scaled to a mean of 0 and a deviation of 1 over the training split.
        batch_size: number of images per step.
        optimizer: "adamw" (Loshchilov and Hutter 2017, arXiv:1711.05101), "adam", "momentum" (SGD with
            Nesterov momentum of 0.9) or "muon" (`train.training.optimizers`).
        learning_rate: peak of the learning rate; with "muon", that of the 1x1 kernels.
        schedule: "cosine" raises the learning rate from 0 during the first epoch and then lowers it along a
            cosine to a thousandth of the peak; "plateau" divides it by ten when the validation loss stops
            falling (`train.training.optimizers.plateau_rate`); "constant" keeps it.
        weight_decay: weight decay of "adamw"; with "muon", that of the 1x1 kernels alone. Ignored by the
            other optimizers.
        averaging: momentum of an exponential moving average of the weights, 0 to 1. The averaged weights are
            evaluated and saved. 0 for none.
        precision: Keras' dtype policy for the layers; weights stay float32.
        seed: seed of initial weights, order of rows and augmentation, 0 to 2^32 - 1.
    """

    name: str
    task: Task
    spec: ClassifierSpec
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
    spoiling: Spoiling | None = None
    appearances: tuple[int, ...] = ()
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
        if self.appearances and (len(self.appearances) != self.spec.classes or min(self.appearances) < 1):
            raise ConfigError(
                f"{self.name}: appearances {self.appearances}, "
                f"expected {self.spec.classes} numbers of at least 1"
            )
        if bool(self.teachers) != bool(self.teaching) or (self.teachers and not self.views):
            raise ConfigError(f"{self.name}: teachers, their share and a number of views belong together")

    @property
    def crop(self) -> CropSpec:
        """Size and framing of the network's input."""
        return CropSpec(self.spec.size, self.framing)

    def to_dict(self) -> dict[str, Any]:
        """Returns the recipe for a JSON file."""
        return asdict(self)
