"""All recipes by name: shipped networks, their teachers, published networks, and an ablation study."""

from __future__ import annotations

from dataclasses import replace

from edge.command_line import did_you_mean
from edge.errors import ConfigError
from edge.inference.preprocess import Framing
from train.augment import Augmentation
from train.data.portraits import FRAMINGS
from train.models.spec import NetSpec, ReferenceSpec, Stage, TeacherSpec
from train.recipes.face_recipe import AnyRecipe
from train.recipes.face_recipes import FACE_RECIPES, REFINEMENT_PARENT
from train.recipes.recipe import Recipe
from train.spoiling import Spoiling

# Medians measured by `python -m train framing`: an image of FER-2013 has 1.02 times the side of the cascade's
# box and its centre; one of UTKFace has 0.97 times the side, and a centre that lies 0.09 sides lower. CK+ at
# 48x48 is framed about as FER-2013.
_FER = Framing(1.02, 0.0)
_UTK = FRAMINGS["utkface"]

_EMOTION = NetSpec(stem=12, stages=(Stage(32, 1, 1, repeats=2), Stage(44, 1, repeats=5)), head=15, classes=7)
_GENDER = NetSpec(stem=12, stages=(Stage(24, 1, 1, repeats=1), Stage(34, 1, repeats=4)), head=10, classes=2)

_LIGHT = Augmentation(rotate_deg=9, shift=0.06, scale=0.1, contrast=(1.0, 1.0), brightness=0)
_STRONG = Augmentation(rotate_deg=12, shift=0.08, scale=0.12, contrast=(1.0, 1.0), brightness=0, erase=0.4)
# UTKFace's images are sharper than those of a small camera.
_SOFT = replace(_LIGHT, shift=0.08, scale=0.12, blur=1.0)


_TEACHER = Recipe(
    "emotion-teacher",
    "emotion",
    TeacherSpec((32, 48, 96, 192), classes=7),
    _FER,
    epochs=36,
    votes=0.3,
    augmentation=_STRONG,
    batch_size=96,
    learning_rate=2e-3,
    weight_decay=0.02,
    precision="mixed_bfloat16",
)

# What an accelerator trains in half a minute each (`python -m train.accelerator`), and a processor in hours.
# The mean of the five is right in 73.1 % of the validation pictures, a single one in 69 to 71 %.
_EMOTION_EXPERT = replace(
    _TEACHER,
    name="emotion-expert",
    spec=TeacherSpec((40, 64, 128, 256), classes=7, dropout=0.4),
    epochs=104,
    batch_size=128,
    weight_decay=0.05,
)
_GENDER_EXPERTS = 3
_EMOTION_EXPERTS = 5

_SHIPPED_EMOTION = Recipe(
    "emotion",
    "emotion",
    _EMOTION,
    _FER,
    epochs=120,
    teachers=("emotion-teacher",),
    teaching=0.9,
    matching=0.5,
    augmentation=_LIGHT,
    views=10,
    optimizer="muon",
    learning_rate=0.015,
    weight_decay=0.05,
)

# Pruned to the shipped network's size: the same architecture, about twice as wide everywhere.
_EMOTION_PARENT = replace(
    _SHIPPED_EMOTION,
    name="emotion-parent",
    spec=NetSpec(stem=24, stages=(Stage(72, 1, 1, repeats=2), Stage(112, 1, repeats=5)), head=28, classes=7),
    epochs=40,
)

_GENDER_TEACHER = Recipe(
    "gender-teacher",
    "gender",
    TeacherSpec((32, 48, 96, 192), classes=2),
    _UTK,
    epochs=12,
    dataset="utkface",
    label_smoothing=0.05,
    balance=0.25,
    augmentation=replace(_STRONG, blur=1.0),
    batch_size=96,
    learning_rate=2e-3,
    weight_decay=0.02,
    precision="mixed_bfloat16",
)

_SHIPPED_GENDER = Recipe(
    "gender",
    "gender",
    _GENDER,
    _UTK,
    epochs=48,
    dataset="utkface",
    teachers=("gender-teacher",),
    teaching=0.7,
    balance=0.25,
    augmentation=_SOFT,
    views=6,
    optimizer="muon",
    learning_rate=0.015,
    weight_decay=0.05,
)

_GENDER_PARENT = replace(
    _SHIPPED_GENDER,
    name="gender-parent",
    spec=NetSpec(stem=20, stages=(Stage(56, 1, 1, repeats=1), Stage(88, 1, repeats=4)), head=20, classes=2),
    epochs=30,
)


# As the experts of emotion; on UTKFace and LFW together.
_GENDER_EXPERT = replace(
    _GENDER_TEACHER,
    name="gender-expert",
    spec=TeacherSpec((32, 48, 96, 192), classes=2, dropout=0.4),
    epochs=84,
    batch_size=128,
    weight_decay=0.05,
)

_EXPERTS = tuple(
    replace(expert, name=expert.name if seed == 1 else f"{expert.name}-{seed}", seed=seed)
    for expert, count in ((_EMOTION_EXPERT, _EMOTION_EXPERTS), (_GENDER_EXPERT, _GENDER_EXPERTS))
    for seed in range(1, count + 1)
)

# The last stage of what ships: the pruned networks go on with the experts' answers and a camera's faults.
# `make quantize` gives them the structure that the pruning left.
_EMOTION_CAMERA = replace(
    _SHIPPED_EMOTION,
    name="emotion-camera",
    spec=NetSpec(stem=17, stages=(Stage(37, 1, 1, repeats=2), Stage(48, 1, repeats=5)), head=6, classes=7),
    start="emotion-parent-taylor-1",
    epochs=36,
    # All five answer at half the speed, and 73.1 % of the validation images rightly instead of 72.8 %.
    teachers=tuple(expert.name for expert in _EXPERTS if expert.task == "emotion")[:3],
    spoiling=Spoiling(),
    # Disgust is on 1.5 % of the images.
    appearances=(1, 6, 1, 1, 1, 1, 1),
    views=6,
    learning_rate=4e-3,
)
_GENDER_CAMERA = replace(
    _SHIPPED_GENDER,
    name="gender-camera",
    spec=NetSpec(stem=17, stages=(Stage(27, 1, 1, repeats=1), Stage(36, 1, repeats=4)), head=5, classes=2),
    start="gender-parent-taylor-1",
    epochs=40,
    teachers=tuple(expert.name for expert in _EXPERTS if expert.task == "gender"),
    spoiling=Spoiling(),
    learning_rate=4e-3,
)

# From random weights by the experts' answers, for as long as an accelerator was lent. Without a strided block
# and with a head of rows and columns, parameters are left for 48 channels, which are applied six times.
_STUDENTS = tuple(
    replace(
        _GENDER_CAMERA,
        name="gender-student" if seed == 1 else f"gender-student-{seed}",
        spec=NetSpec(
            stem=16,
            stages=(Stage(32, 0, 1, repeats=2), Stage(48, 0, repeats=6)),
            head=15,
            classes=2,
            separable_head=True,
        ),
        start=None,
        epochs=300,
        teaching=0.8,
        batch_size=128,
        learning_rate=0.04,
        seed=seed,
    )
    for seed in (1, 2, 3)
)


# The learning rate of a published recipe is constant unless its publication says otherwise.
_REFERENCE = Recipe(
    "mini-xception",
    "emotion",
    ReferenceSpec("mini_xception", 7),
    _FER,
    epochs=100,
    optimizer="adam",
    learning_rate=1e-3,
    schedule="constant",
    batch_size=32,
    augmentation=_LIGHT,
)
_ARRIAGA = replace(_REFERENCE, schedule="plateau")
_TRANSFER = replace(_REFERENCE, dataset="ckplus", epochs=20, learning_rate=1e-4)

_REFERENCES = (
    # Arriaga, Ploeger and Valdenegro 2017 (arXiv:1710.07557): light augmentation, Adam, "plateau".
    _ARRIAGA,
    replace(_ARRIAGA, name="simple-cnn", spec=ReferenceSpec("simple_cnn", 7)),
    replace(
        _ARRIAGA,
        name="gender-small",
        task="gender",
        dataset="utkface",
        framing=_UTK,
        spec=ReferenceSpec("gender_small", 2),
        epochs=40,
        augmentation=_SOFT,
    ),
    replace(
        _REFERENCE,
        name="two-blocks",
        spec=ReferenceSpec("two_blocks", 7),
        epochs=16,
        batch_size=64,
        learning_rate=1e-4,
        augmentation=None,
    ),
    replace(
        _REFERENCE,
        name="tang",
        spec=ReferenceSpec("tang", 7),
        epochs=20,
        batch_size=128,
        optimizer="momentum",
        learning_rate=1e-2,
        augmentation=None,
        standardize=True,
    ),
    # Overfits: it has no regularization and no augmentation.
    replace(
        _REFERENCE,
        name="sequential",
        spec=ReferenceSpec("sequential", 7),
        epochs=30,
        batch_size=64,
        learning_rate=1e-4,
        augmentation=None,
    ),
    # Transfer learning on CK+ from ImageNet's weights.
    replace(_TRANSFER, name="mobilenet-ckplus", spec=ReferenceSpec("mobilenet", 7, pretrained=True)),
    replace(_TRANSFER, name="vgg16-ckplus", spec=ReferenceSpec("vgg16", 7, pretrained=True)),
    replace(_TRANSFER, name="inception-v3-ckplus", spec=ReferenceSpec("inception_v3", 7, pretrained=True)),
)
# What those backbones can start from that learn next to nothing of CK+ from random weights, where ImageNet's
# cannot be had: `train fit mobilenet-ckplus --start mobilenet-fer2013`.
_PRETRAINING = tuple(
    replace(
        _TRANSFER,
        name=f"{backbone.replace('_', '-')}-fer2013",
        spec=ReferenceSpec(backbone, 7),
        dataset="fer2013",
        epochs=8,
        learning_rate=1e-3,
        schedule="cosine",
    )
    for backbone in ("mobilenet", "inception_v3")
)

# The ablation study: the shipped recipe with one change each; all are trained for equally few epochs.
_LABELS_ONLY = replace(_SHIPPED_EMOTION, teachers=(), teaching=0.0)
_ABLATION = {
    "whole": _SHIPPED_EMOTION,
    "no-teacher": _LABELS_ONLY,
    "votes-for-teacher": replace(_LABELS_ONLY, votes=0.5),
    "teacher-only": replace(_SHIPPED_EMOTION, teaching=1.0),
    "adamw": replace(_SHIPPED_EMOTION, optimizer="adamw", learning_rate=5e-3, weight_decay=1e-3),
    "balance": replace(_SHIPPED_EMOTION, balance=0.3),
    "no-repeats": replace(
        _SHIPPED_EMOTION,
        spec=NetSpec(stem=12, stages=(Stage(24, 3, 1), Stage(32, 3), Stage(44, 1)), head=20, classes=7),
    ),
    "original-only": replace(_LABELS_ONLY, augmentation=None, views=0),
    "averaged": replace(_SHIPPED_EMOTION, averaging=0.999),
}

# The shipped networks and what they come from: `make quantize` prunes a trained parent and takes the best.
_SHIPPED: tuple[AnyRecipe, ...] = (
    *(_TEACHER, _SHIPPED_EMOTION, _EMOTION_PARENT),
    *(_GENDER_TEACHER, _SHIPPED_GENDER, _GENDER_PARENT),
    *FACE_RECIPES,
)
SHIPPED = tuple(recipe.name for recipe in _SHIPPED)
RECIPES: dict[str, AnyRecipe] = {
    recipe.name: recipe
    for recipe in (
        *_SHIPPED,
        *_EXPERTS,
        *(_EMOTION_CAMERA, _GENDER_CAMERA, REFINEMENT_PARENT),
        *_STUDENTS,
        *_REFERENCES,
        *_PRETRAINING,
        *(replace(recipe, name=f"ablation-{name}") for name, recipe in _ABLATION.items()),
    )
}
GROUPS: dict[str, tuple[str, ...]] = {
    "shipped": SHIPPED,
    "experts": tuple(recipe.name for recipe in _EXPERTS),
    "students": tuple(recipe.name for recipe in _STUDENTS),
    "references": tuple(recipe.name for recipe in _REFERENCES),
    "pretraining": tuple(recipe.name for recipe in _PRETRAINING),
    "ablation": tuple(f"ablation-{name}" for name in _ABLATION),
}


def find_recipe(name: str) -> AnyRecipe:
    """Returns the recipe with a name.

    Raises:
        ConfigError: no recipe has that name, or it is a group's name.
    """
    if name in GROUPS:
        raise ConfigError(f"{name!r} is a group of recipes; name one of {', '.join(GROUPS[name])}")
    return find_recipes(name)[0]


def find_recipes(name: str) -> tuple[AnyRecipe, ...]:
    """Returns the recipe with a name, or those of a group, each after the recipes that it builds on.

    Raises:
        ConfigError: no recipe or group has that name; the message names the most similar one, or all.
    """
    if name in GROUPS:
        return tuple(RECIPES[member] for member in GROUPS[name])
    if name not in RECIPES:
        if suggestion := did_you_mean(name, (*RECIPES, *GROUPS)):
            raise ConfigError(f"no recipe {name!r}{suggestion} `python -m train recipes` lists all")
        raise ConfigError(
            f"no recipe {name!r}; expected one of {', '.join(RECIPES)}, or of {', '.join(GROUPS)}"
        )
    return (RECIPES[name],)
