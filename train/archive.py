"""A finished run in one small file, and back: what was trained for hours need not be trained again."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np

from edge.errors import ConfigError, DataError, OutputError
from train.journal import save
from train.model import build
from train.spec import read_spec

_TEXTS = ("run.json", "log.csv", "val.json", "train.json")
_CHECKPOINTS = ("best.keras", "final.keras")
# What some runs have beside these: how they were pruned, and the floats that their integers were made of.
_BESIDE = ("plan.json", "steps.csv", "tuned.keras")
# Of a network larger than this the best checkpoint is kept alone, in half precision: it is there to teach.
_LARGE = 100_000


def archive(run: Path, path: Path) -> None:
    """Writes a finished run's settings, log, figures and weights into a zip file, without optimizer.

    Args:
        run: its folder.
        path: of the zip.

    Raises:
        DataError: the run is not finished.
        OutputError: the file cannot be written.
    """
    missing = [name for name in (*_TEXTS, *_CHECKPOINTS) if not (run / name).exists()]
    if missing:
        raise DataError(f"{run}: not a finished and evaluated run, no {', '.join(missing)}")

    def write(partial: Path) -> None:
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as file:
            for name in (*_TEXTS, *(name for name in _BESIDE if (run / name).exists())):
                _put(file, name, (run / name).read_bytes())
            for name in _CHECKPOINTS:
                model = keras.models.load_model(run / name, compile=False)
                large = model.count_params() > _LARGE
                if not (large and name != _CHECKPOINTS[0]):
                    _put(file, f"{name}.npz", _weights(model, np.float16 if large else np.float32))

    try:
        save(write, path)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}") from error


def restore(path: Path, run: Path) -> None:
    """Makes a run's folder from an archive, as if it had been trained here.

    Args:
        path: of the zip.
        run: its folder; must not be there yet.

    Raises:
        DataError: the archive is missing or damaged.
        ConfigError: the folder is there already.
    """
    if run.exists():
        raise ConfigError(f"{run} exists; remove it, or name another folder with --runs")
    try:
        with zipfile.ZipFile(path) as file:
            names = file.namelist()
            files = {
                name: file.read(name) for name in (*_TEXTS, *(name for name in _BESIDE if name in names))
            }
            held = {
                name: _arrays(file.read(f"{name}.npz")) for name in _CHECKPOINTS if f"{name}.npz" in names
            }
        models = {
            name: _model(json.loads(files["run.json"])["recipe"], arrays) for name, arrays in held.items()
        }
    except (OSError, KeyError, ValueError, TypeError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: no archive of a run ({error})") from error
    run.mkdir(parents=True)
    for name, model in models.items():
        model.save(run / name)
    if _CHECKPOINTS[1] not in models:
        models[_CHECKPOINTS[0]].save(run / _CHECKPOINTS[1])
    for name, content in files.items():
        (run / name).write_bytes(content)


def _put(file: zipfile.ZipFile, name: str, content: bytes) -> None:
    """At a fixed time, so that the same run makes the same file."""
    file.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)


def _weights(model: keras.Model, dtype: type[np.floating[Any]]) -> bytes:
    layer = model.get_layer("scale")
    scaling = np.array([layer.scale, layer.offset], dtype=np.float64)
    buffer = io.BytesIO()
    weights = {f"{place:04d}": weight.astype(dtype) for place, weight in enumerate(model.get_weights())}
    np.savez(buffer, scaling=scaling, **weights)
    return buffer.getvalue()


def _arrays(content: bytes) -> dict[str, Any]:
    with np.load(io.BytesIO(content)) as arrays:
        return {name: arrays[name] for name in arrays.files}


def _model(recipe: dict[str, Any], arrays: dict[str, Any]) -> keras.Model:
    scale, offset = map(float, arrays.pop("scaling"))
    model = build(read_spec(recipe["spec"]), scale, offset, recipe["precision"])
    model.set_weights([arrays[name].astype(np.float32) for name in sorted(arrays)])
    return model
