"""Makes a finished run of a network that was trained on an accelerator."""

from __future__ import annotations

import io
import json
import math
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from edge.errors import ConfigError, DataError
from edge.files import atomic_write
from train.data import Dataset
from train.models.sepnet import build
from train.models.spec import spec_from_dict
from train.recipes.recipe import Recipe
from train.runs.archive import DAMAGED
from train.runs.packing import PACKED
from train.training.epochs import Checkpoints
from train.training.fit import network_facts
from train.training.provenance import provenance
from train.training.run_folder import claim, rounded

_COLUMNS = ("epoch", "loss", "accuracy", "val_accuracy", "seconds")


def collect(file: Path, name: str, recipe: Recipe, data: Dataset, folder: Path) -> None:
    """Writes the run of a recipe from a file of `train.accelerator.program`.

    The run looks like a restored one: finished, without an optimizer's state. Its `run.json` has one more
    key, "accelerated", with what the program was set to and the datasets of its pack.

    Args:
        file: zip file with `<name>.npz` (weights) and `<name>.json` (spec, settings and log).
        name: the network's name in the file.
        recipe: the recipe that it is a run of.
        data: the recipe's dataset.
        folder: the run's folder; must not exist.

    Raises:
        DataError: the file is missing, damaged, or holds no such network.
        ConfigError: the folder exists, or the network has another spec than the recipe.
    """
    if folder.exists():
        raise ConfigError(f"{folder} exists; remove it, or name another folder with --runs")
    try:
        with zipfile.ZipFile(file) as contents:
            described = json.loads(contents.read(f"{name}.json"))
            with np.load(io.BytesIO(contents.read(f"{name}.npz"))) as arrays:
                weights = [arrays[key].astype(np.float32) for key in sorted(arrays.files)]
        spec, log = spec_from_dict(described.pop("spec")), described.pop("log")
    except (*DAMAGED, TypeError) as error:
        raise DataError(f"{file}: no network {name!r} of an accelerator in it ({error})") from error
    if spec != recipe.spec:
        raise ConfigError(f"{file}: {name} is a {spec}, expected {recipe.name}'s {recipe.spec}")
    model = build(spec, precision=recipe.precision)
    model.set_weights(weights)
    described["datasets"] = list(PACKED[recipe.task])
    decisive = {**provenance(recipe, data, Checkpoints()), "accelerated": described}
    claim(folder, decisive, network_facts(recipe, model.get_layer("body"), data.label_names))
    lines = [",".join(_COLUMNS), *(_line(row, described["index"]) for row in log)]
    atomic_write(folder / "log.csv", lambda path: path.write_text("\n".join(lines) + "\n", encoding="utf-8"))
    for checkpoint in ("best.keras", "final.keras"):
        atomic_write(folder / checkpoint, lambda path: keras.Model.save(model, path))


def _line(row: Mapping[str, Any], index: int) -> str:
    """Returns the line of an epoch; the accelerator validates only some epochs."""
    unknown = [math.nan] * (index + 1)
    known = {
        "loss": row["loss"][index],
        "accuracy": row.get("accuracy", unknown)[index],
        "val_accuracy": row.get("clean", unknown)[index],
    }
    return ",".join(rounded({**row, **known}[column]) for column in _COLUMNS)
