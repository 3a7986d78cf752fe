"""Writes a run into one small file, and restores it, so that it need not be trained again.

The archive of a finished run holds its weights without the optimizer's state; that of an unfinished run holds
what it takes to resume it elsewhere.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
import zlib
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import keras
import numpy as np

from edge.errors import ConfigError, DataError
from edge.files import atomic_write
from train.models.sepnet import build
from train.models.spec import spec_from_dict

_TEXTS = ("run.json", "log.csv", "val.json", "train.json")
_CHECKPOINTS = ("best.keras", "final.keras")
# Files that only some runs have: of a pruning, and of the fine-tuning before the conversion to int8.
_OPTIONAL = ("plan.json", "steps.csv", "tuned.keras")
# The state that a run is resumed from, and the folder of a pruning's steps.
_LAST, _STEPS = "last.weights.h5", "steps"
# A network with more parameters is a teacher: only its best checkpoint is archived, in half precision.
_LARGE = 100_000
# The errors of reading a damaged zip file; RuntimeError if it seems encrypted or has an unknown version.
DAMAGED = (
    *(OSError, KeyError, ValueError, TypeError, EOFError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error),
)


def archive(run: Path, path: Path) -> None:
    """Writes a run's settings, log, figures and weights into a zip file.

    Args:
        run: the run's folder.
        path: zip file to write; its folder is created if it does not exist.

    Raises:
        DataError: the folder holds no run, or one that is finished but not evaluated.
        OutputError: the file cannot be written.
    """
    unfinished = not (run / _CHECKPOINTS[1]).exists() and ((run / _LAST).exists() or (run / _STEPS).exists())
    missing = [name for name in (*_TEXTS, *_CHECKPOINTS) if not (run / name).exists()]
    if missing and not unfinished:
        raise DataError(f"{run}: not a finished and evaluated run, no {', '.join(missing)}")

    def write(partial: Path) -> None:
        partial.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as file:
            if unfinished:
                for name in _files_to_resume(run):
                    _add(file, name, (run / name).read_bytes())
            else:
                _add_finished(file, run)

    atomic_write(path, write)


def restore(path: Path, run: Path) -> None:
    """Creates a run's folder from an archive; an error leaves nothing behind.

    Args:
        path: the zip file.
        run: the run's folder; must not exist.

    Raises:
        DataError: the archive is missing or damaged.
        ConfigError: the folder exists.
    """
    if run.exists():
        raise ConfigError(f"{run} exists; remove it, or name another folder with --runs")
    try:
        with zipfile.ZipFile(path) as file:
            contents = {name: file.read(name) for name in file.namelist()}
        if outside := [name for name in contents if name.startswith("/") or ".." in name]:
            raise ValueError(f"{outside[0]!r} would be outside of the run's folder")
        settings = json.loads(contents.get("run.json") or contents["plan.json"])["recipe"]
        models = {
            name: _build_model(settings, _read_arrays(contents.pop(f"{name}.npz")))
            for name in _CHECKPOINTS
            if f"{name}.npz" in contents
        }
        if models and (missing := sorted(set(_TEXTS) - contents.keys())):
            raise ValueError(f"no {missing[0]} in it")
    except DAMAGED as error:
        raise DataError(f"{path}: no archive of a run ({error})") from error
    run.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="partial-", dir=run.parent) as folder:
        partial = Path(folder) / run.name
        partial.mkdir()
        for name, model in models.items():
            model.save(partial / name)
        if models and _CHECKPOINTS[1] not in models:
            models[_CHECKPOINTS[0]].save(partial / _CHECKPOINTS[1])
        for name, content in contents.items():
            (partial / name).parent.mkdir(parents=True, exist_ok=True)
            (partial / name).write_bytes(content)
        partial.rename(run)


def _files_to_resume(run: Path) -> list[str]:
    """Returns the files, relative to a run's folder, that it takes to resume the run."""
    names = [name for name in (*_TEXTS, *_CHECKPOINTS, *_OPTIONAL, _LAST) if (run / name).is_file()]
    # A folder `07` is the run of a step, and a file `07-cut.keras` is what that run starts from.
    matches = {path: re.match(r"\d+", path.name) for path in sorted((run / _STEPS).glob("*"))}
    steps = {path: int(match[0]) for path, match in matches.items() if match}
    # The last finished step, and the unfinished one.
    newest = sorted(set(steps.values()))[-2:]
    for path, number in steps.items():
        if number in newest:
            files = sorted(path.iterdir()) if path.is_dir() else [path]
            names += [str(file.relative_to(run)) for file in files if not file.name.startswith("partial-")]
    return names


def _add_finished(file: zipfile.ZipFile, run: Path) -> None:
    for name in (*_TEXTS, *(name for name in _OPTIONAL if (run / name).exists())):
        _add(file, name, (run / name).read_bytes())
    for name in _CHECKPOINTS:
        model = keras.models.load_model(run / name, compile=False)
        large = model.count_params() > _LARGE
        if not (large and name != _CHECKPOINTS[0]):
            _add(file, f"{name}.npz", _weights(model, np.float16 if large else np.float32))


def _add(file: zipfile.ZipFile, name: str, content: bytes) -> None:
    """Adds a file with a fixed time, so that the same run always makes the same archive."""
    file.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)


def _weights(model: keras.Model, dtype: type[np.floating[Any]]) -> bytes:
    layer = model.get_layer("scale")
    scaling = np.array([layer.scale, layer.offset], dtype=np.float64)
    buffer = io.BytesIO()
    weights = {f"{index:04d}": weight.astype(dtype) for index, weight in enumerate(model.get_weights())}
    np.savez(buffer, scaling=scaling, **weights)
    return buffer.getvalue()


def _read_arrays(content: bytes) -> dict[str, Any]:
    with np.load(io.BytesIO(content)) as arrays:
        return {name: arrays[name] for name in arrays.files}


def _build_model(recipe: dict[str, Any], arrays: dict[str, Any]) -> keras.Model:
    scale, offset = map(float, arrays.pop("scaling"))
    model = build(spec_from_dict(recipe["spec"]), scale, offset, recipe["precision"])
    model.set_weights([arrays[name].astype(np.float32) for name in sorted(arrays)])
    return model
