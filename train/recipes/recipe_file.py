"""Reads a recipe from a TOML file, and checks every value before hours are spent on it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeAlias, Union, get_args, get_origin, get_type_hints

from edge.command_line import did_you_mean
from edge.detection.outputs import STRIDE_PX
from edge.documents import parse_toml, read_text
from edge.errors import ConfigError
from edge.files import os_error_reason
from edge.inference.preprocess import Framing
from edge.labels import FACE_TASKS, LABELS
from train.augment import Augmentation
from train.crops.photometric import Photometry
from train.data.locate import FORMS
from train.data.portraits import FRAMINGS
from train.models.spec import NetSpec, ProposalSpec, ReferenceSpec, Stage, TeacherSpec
from train.recipes.face_recipe import AnyRecipe, FaceRecipe, LossWeights
from train.recipes.recipe import Recipe
from train.recipes.registry import GROUPS, RECIPES
from train.spoiling import Spoiling

# The kinds of network, by the key `network` of the table [spec].
NETWORKS: dict[str, type[Any]] = {
    "sepnet": NetSpec,
    "residual": TeacherSpec,
    "published": ReferenceSpec,
    "proposal": ProposalSpec,
}
_Range: TypeAlias = tuple[float, float]

_MAX_BYTES = 64 * 1024
_MAX_ITEMS = 64
_MAX_PARAMETERS = 50_000_000  # more would not fit into memory with its gradients and the optimizer's state
_LEAST_CROPS = 3  # faces, negatives and hard negatives are a third each
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_TAKEN = ("cache", "data", "workers")  # other folders among the runs
_CHANNELS, _SHARE = (1, 4_096), (0, 1)
_TRAINING: dict[str, _Range] = {
    "epochs": (1, 100_000),
    "batch_size": (1, 65_536),
    "learning_rate": (1e-9, 10),
    "weight_decay": (0, 10),
    "averaging": _SHARE,
    "seed": (0, 2**32 - 1),
}
_RANGES: dict[type[Any], dict[str, _Range]] = {
    Recipe: {
        **_TRAINING,
        **dict.fromkeys(("teaching", "votes", "label_smoothing", "balance", "matching"), _SHARE),
        "views": (0, 1_000),
        "appearances": (1, 100),
    },
    FaceRecipe: {**_TRAINING, "crops": (1, 10_000_000), "validation_crops": (1, 1_000_000)},
    Framing: {"margin": (0.5, 2), "shift_y": (-0.5, 0.5)},
    Stage: {"channels": _CHANNELS, "blocks": (0, 32), "stride": (1, 4), "repeats": (0, 32)},
    NetSpec: {"stem": _CHANNELS, "head": _CHANNELS, "classes": (2, 100), "size": (8, 256)},
    TeacherSpec: {"widths": _CHANNELS, "classes": (2, 100), "size": (8, 256), "dropout": (0, 0.99)},
    ReferenceSpec: {"classes": (2, 100), "size": (8, 256)},
    ProposalSpec: {"stem": _CHANNELS, "channels": (1, 64), "size": (8, 1_024)},
    Augmentation: {
        **dict.fromkeys(("flip", "shift", "erase"), _SHARE),
        "scale": (0, 0.9),
        "rotate_deg": (0, 180),
        "contrast": (0, 10),
        "blur": (0, 20),
        **dict.fromkeys(("brightness", "noise"), (0, 255)),
    },
    Spoiling: {
        **dict.fromkeys(("share", "shift", "side_light", "darkness", "cover"), _SHARE),
        "scale": (0, 0.9),
        "distance": (0.05, 1),
        "rotate_deg": (0, 180),
        "gamma": (0.05, 20),
        "blur": (0, 20),
        "noise": (0, 255),
        "jpeg": (1, 100),
    },
    Photometry: {
        **dict.fromkeys(("side_light", "gamma", "blur", "dim", "noise", "jpeg"), _SHARE),
        "blur_px": (0, 20),
    },
    LossWeights: dict.fromkeys(("face", "box", "roll", "yaw"), (0, 100)),
}


def is_recipe_file(name: str) -> bool:
    """Returns whether a recipe's name on the command line is that of a file."""
    return name.endswith(".toml")


def read_recipe(path: Path) -> AnyRecipe:
    """Reads a recipe; `python -m train recipes --write` writes one to start from.

    Raises:
        ConfigError: the file cannot be read, is no TOML, or no recipe; the message names the key.
    """
    try:
        values = parse_toml(read_text(path, _MAX_BYTES))
    except FileNotFoundError as error:
        raise ConfigError(
            f"{path}: no such file; `python -m train recipes --write NAME {path}` writes one"
        ) from error
    except OSError as error:
        raise ConfigError(f"{path}: {os_error_reason(error)}") from error
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from error
    try:
        task = _value(Literal[tuple(LABELS)], values.get("task"), "task")
        recipe: AnyRecipe = _table(FaceRecipe if task in FACE_TASKS else Recipe, values, "")
        _check(recipe)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
    return recipe


def _check(recipe: AnyRecipe) -> None:
    """Checks what concerns several values, or names things outside of the file.

    Raises:
        ConfigError: the recipe could not be trained.
    """
    if not _NAME.fullmatch(recipe.name) or recipe.name in _TAKEN or is_recipe_file(recipe.name):
        raise ConfigError(f"name: {recipe.name!r}; expected up to 64 letters, digits, dots, hyphens")
    if recipe.name in (*RECIPES, *GROUPS):
        raise ConfigError(f"name: {recipe.name!r} is a recipe of this package; expected a name of your own")
    spec, labels = recipe.spec, len(LABELS[recipe.task])
    if not isinstance(spec, ProposalSpec) and spec.classes != labels:
        raise ConfigError(f"spec.classes: {spec.classes}; expected {labels} for {recipe.task}")
    if isinstance(spec, (NetSpec, ProposalSpec)) and spec.stored_parameters() > _MAX_PARAMETERS:
        raise ConfigError(
            f"spec: {spec.stored_parameters():,} parameters; expected at most {_MAX_PARAMETERS:,}"
        )
    _check_geometry(recipe)
    if isinstance(spec, ReferenceSpec):
        from train.models.baselines import REFERENCES  # imports Keras, which no other recipe needs here

        _one_of(spec.architecture, tuple(REFERENCES), "spec.architecture")
    if isinstance(recipe, Recipe):
        _one_of(recipe.dataset, tuple(FORMS), "dataset")
    else:
        _one_of(recipe.dataset, ("scenes",), "dataset")
        for name in recipe.portraits:
            _one_of(name, tuple(FRAMINGS), "portraits")


def _check_geometry(recipe: AnyRecipe) -> None:
    """Checks what a network's shape must have in common with its data and with the device.

    Raises:
        ConfigError: it has not.
    """
    spec = recipe.spec
    if isinstance(spec, TeacherSpec) and spec.size >> (len(spec.widths) - 1) < 1:
        raise ConfigError(f"spec.widths: {len(spec.widths)} of them; too many for {spec.size} pixels")
    if isinstance(spec, ProposalSpec):
        if spec.channels != 4:
            raise ConfigError(f"spec.channels: {spec.channels}; expected 4, which the device reads")
        stride = 2 * math.prod(stage.stride for stage in spec.stages)
        if stride != STRIDE_PX:
            raise ConfigError(f"spec.stages: a stride of {stride} pixels; expected {STRIDE_PX}")
    if isinstance(recipe, FaceRecipe) and recipe.validation_crops < _LEAST_CROPS:
        raise ConfigError(f"validation_crops: {recipe.validation_crops}; expected {_LEAST_CROPS} at least")


def _table(kind: type[Any], values: Any, where: str) -> Any:
    """Returns a dataclass of the values of a table."""
    if not isinstance(values, Mapping):
        raise ConfigError(f"{where}: {_shown(values)}; expected a table")
    prefix, known = f"{where}." if where else "", {field.name: field for field in fields(kind)}
    for key in values:
        if key not in known:
            hint = did_you_mean(key, list(known)) or f"; expected one of {', '.join(known)}"
            raise ConfigError(f"{prefix}{key}: no setting of a recipe{hint}")
    hints = get_type_hints(kind)
    arguments = {}
    for name, field in known.items():
        if name in values:
            value = (
                _spec(values[name]) if name == "spec" else _value(hints[name], values[name], prefix + name)
            )
            arguments[name] = _within(value, _RANGES.get(kind, {}).get(name), prefix + name)
        elif field.default is MISSING and field.default_factory is MISSING:
            raise ConfigError(f"{prefix}{name}: missing")
    return kind(**arguments)


def _spec(values: Any) -> Any:
    if not isinstance(values, Mapping):
        raise ConfigError(f"spec: {_shown(values)}; expected a table")
    network = _one_of(values.get("network"), tuple(NETWORKS), "spec.network")
    own = {key: value for key, value in values.items() if key != "network"}
    return _table(NETWORKS[network], own, "spec")


def _value(kind: Any, value: Any, where: str) -> Any:
    """Returns a value as the type of its field wants it.

    Raises:
        ConfigError: the value is of another type.
    """
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        if value is False:
            return None
        return _value(next(each for each in inner if each is not NoneType), value, where)
    if origin is Literal:
        return _one_of(value, inner, where)
    if origin is tuple:
        return _tuple(inner, value, where)
    if isinstance(kind, type) and is_dataclass(kind):
        return _table(kind, value, where)
    return _scalar(kind, value, where)


def _scalar(kind: type[Any], value: Any, where: str) -> Any:
    if kind is float and type(value) in (int, float) and math.isfinite(value):
        return float(value)
    if type(value) is kind and kind is not float:
        return value
    names = {int: "a whole number", float: "a number", str: "a text in quotes", bool: "true or false"}
    raise ConfigError(f"{where}: {_shown(value)}; expected {names[kind]}")


def _tuple(inner: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    open_ended = inner[-1] is Ellipsis
    if not isinstance(value, list) or len(value) > _MAX_ITEMS or not (open_ended or len(value) == len(inner)):
        count = f"at most {_MAX_ITEMS}" if open_ended else len(inner)
        raise ConfigError(f"{where}: {_shown(value)}; expected a list of {count}")
    kinds = [inner[0]] * len(value) if open_ended else inner
    items = tuple(
        _value(kind, each, f"{where}[{index}]")
        for index, (kind, each) in enumerate(zip(kinds, value, strict=True))
    )
    if not open_ended and items[0] > items[1]:
        raise ConfigError(f"{where}: {_shown(value)}; expected the smaller number first")
    return items


def _within(value: Any, limits: _Range | None, where: str) -> Any:
    """Returns the value, if it, or every number in it, is within the limits."""
    if limits is not None and value is not None:
        low, high = limits
        numbers = value if isinstance(value, tuple) else (value,)
        wrong = [number for number in numbers if not low <= number <= high]
        if wrong:
            raise ConfigError(f"{where}: {wrong[0]}; expected {low:,} to {high:,}")
    return value


def _one_of(value: Any, choices: tuple[str, ...], where: str) -> str:
    if value not in choices:
        hint = did_you_mean(value, choices) if isinstance(value, str) else ""
        raise ConfigError(f"{where}: {_shown(value)}; expected one of {', '.join(choices)}{hint}")
    return str(value)


def _shown(value: Any) -> str:
    if value is None:
        return "missing"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
