"""What is trained and how, by name: one frozen value holds everything that decides a result."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from edge.errors import ConfigError
from edge.labels import LABELS, Task
from edge.preprocess import Framing
from train.augment import Augmentation, View
from train.spec import NetSpec, Stage


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
        start: the recipe whose best checkpoint this one goes on from; None starts from random weights.
        batch_size: pictures a step.
        learning_rate: its peak; it rises over the first epoch and falls along a cosine to nearly nothing.
        weight_decay: of AdamW (Loshchilov and Hutter 2017, arXiv:1711.05101).
        label_smoothing: 0 to 1 (Szegedy et al. 2015, arXiv:1512.00567); the labels are known to be noisy.
        votes: share of what FER+'s votes let expect in the targets, 0 to 1; the rest is the set's own label.
        augmentation: how far pictures are changed.
        seed: of weights, order and augmentation.
    """

    name: str
    task: Task
    spec: NetSpec
    framing: Framing
    epochs: int
    start: str | None = None
    batch_size: int = 128
    learning_rate: float = 4e-3
    weight_decay: float = 2e-3
    label_smoothing: float = 0.05
    votes: float = 0.0
    augmentation: Augmentation = field(default_factory=Augmentation)
    seed: int = 1

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_size < 1:
            raise ConfigError(
                f"{self.epochs} epochs of batches of {self.batch_size}: both must be at least 1"
            )
        if self.spec.classes != len(LABELS[self.task]):
            raise ConfigError(
                f"{self.spec.classes} classes for {self.task}, which has {len(LABELS[self.task])}"
            )

    @property
    def view(self) -> View:
        """How the network looks at a face."""
        return View(self.spec.size, self.framing)

    def to_dict(self) -> dict[str, Any]:
        """The recipe as JSON holds it."""
        return asdict(self)


_EMOTION = NetSpec(stem=12, stages=(Stage(24, 3, 1), Stage(32, 3), Stage(44, 1)), head=20, classes=7)
_GENDER = NetSpec(stem=12, stages=(Stage(24, 2, 1), Stage(32, 3)), head=10, classes=2)

_LIGHT = Augmentation(rotate_deg=6, shift=0.04, scale=0.07, contrast=(1.0, 1.0), brightness=0)

# FER-2013's frame is 1.02 of the cascade's box in the median, and centred on it; UTKFace's is 0.97 of it, and
# its centre lies 0.09 lower.
RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe("emotion-base", "emotion", _EMOTION, Framing(1.02, 0.0), epochs=60),
        # Once more over nearly unchanged pictures: so small a network fits them as they are at the end.
        Recipe(
            "emotion-polish",
            "emotion",
            _EMOTION,
            Framing(1.02, 0.0),
            epochs=24,
            start="emotion-base",
            learning_rate=2e-3,
            label_smoothing=0.0,
            augmentation=_LIGHT,
        ),
        # And towards what ten annotators saw: much of what is left to learn is noise of the labels.
        Recipe(
            "emotion",
            "emotion",
            _EMOTION,
            Framing(1.02, 0.0),
            epochs=13,
            start="emotion-polish",
            batch_size=64,
            learning_rate=1.5e-3,
            label_smoothing=0.0,
            votes=0.5,
            augmentation=_LIGHT,
        ),
        Recipe(
            "gender",
            "gender",
            _GENDER,
            Framing(0.97, 0.09),
            epochs=40,
            # UTKFace's pictures are sharper than those of a small camera.
            augmentation=Augmentation(rotate_deg=10, shift=0.08, scale=0.12, blur=1.0),
        ),
    )
}


def find_recipe(name: str) -> Recipe:
    """The recipe of that name.

    Raises:
        ConfigError: there is none; the message lists all.
    """
    if name not in RECIPES:
        raise ConfigError(f"no recipe {name!r}; expected one of {', '.join(RECIPES)}")
    return RECIPES[name]
