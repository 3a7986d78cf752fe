"""A run in one small file, and back: what was trained for hours need not be trained again.

Of a finished run the weights are kept, without the optimizer; of one that was broken off, what it takes to go
on with it elsewhere.
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
# What some runs have beside these: how they were pruned, and the floats that their integers were made of.
_BESIDE = ("plan.json", "steps.csv", "tuned.keras")
# What a run goes on from, and where one that is pruned keeps its steps.
_LAST, _STEPS = "last.weights.h5", "steps"
# Of a network larger than this the best checkpoint is kept alone, in half precision: it is there to teach.
_LARGE = 100_000
# What reading a damaged zip and its parts raises; RuntimeError where it seems encrypted or of a newer kind.
_DAMAGED = (
    *(OSError, KeyError, ValueError, TypeError, EOFError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error),
)


def archive(run: Path, path: Path) -> None:
    """Writes a run's settings, log, figures and weights into a zip file.

    Args:
        run: its folder.
        path: of the zip; its folder is made if it is not there.

    Raises:
        DataError: it is no run, or is finished but not evaluated.
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
                for name in _begun(run):
                    _put(file, name, (run / name).read_bytes())
            else:
                _put_finished(file, run)

    atomic_write(path, write)


def restore(path: Path, run: Path) -> None:
    """Makes a run's folder from an archive, as if it had been trained here; whole or not at all.

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
            contents = {name: file.read(name) for name in file.namelist()}
        if outside := [name for name in contents if name.startswith("/") or ".." in name]:
            raise ValueError(f"{outside[0]!r} would lie outside of it")
        settings = json.loads(contents.get("run.json") or contents["plan.json"])["recipe"]
        models = {
            name: _model(settings, _arrays(contents.pop(f"{name}.npz")))
            for name in _CHECKPOINTS
            if f"{name}.npz" in contents
        }
        if models and (lost := sorted(set(_TEXTS) - contents.keys())):
            raise ValueError(f"no {lost[0]} in it")
    except _DAMAGED as error:
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


def _begun(run: Path) -> list[str]:
    """The files below a run's folder that it goes on from."""
    names = [name for name in (*_TEXTS, *_CHECKPOINTS, *_BESIDE, _LAST) if (run / name).is_file()]
    # A folder `07` is a step's run, and a file `07-cut.keras` what it starts from.
    found = {path: re.match(r"\d+", path.name) for path in sorted((run / _STEPS).glob("*"))}
    steps = {path: int(number[0]) for path, number in found.items() if number}
    # The last that is done, and the one that is at it.
    newest = sorted(set(steps.values()))[-2:]
    for path, number in steps.items():
        if number in newest:
            files = sorted(path.iterdir()) if path.is_dir() else [path]
            names += [str(file.relative_to(run)) for file in files if not file.name.startswith("partial-")]
    return names


def _put_finished(file: zipfile.ZipFile, run: Path) -> None:
    for name in (*_TEXTS, *(name for name in _BESIDE if (run / name).exists())):
        _put(file, name, (run / name).read_bytes())
    for name in _CHECKPOINTS:
        model = keras.models.load_model(run / name, compile=False)
        large = model.count_params() > _LARGE
        if not (large and name != _CHECKPOINTS[0]):
            _put(file, f"{name}.npz", _weights(model, np.float16 if large else np.float32))


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
    model = build(spec_from_dict(recipe["spec"]), scale, offset, recipe["precision"])
    model.set_weights([arrays[name].astype(np.float32) for name in sorted(arrays)])
    return model
