"""Teachers that were trained before, from the archives that the repository keeps of them."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge.errors import DataError
from train.accelerator.pack import Array
from train.models.spec import TeacherSpec, spec_from_dict


@dataclass(frozen=True)
class Archived:
    """A trained teacher: its name, its spec, and its weights in the order of Keras' `get_weights`."""

    name: str
    spec: TeacherSpec
    weights: list[Array]


def read_archived(path: Path, task: str) -> Archived:
    """Reads a teacher from a file of `python -m train archive`.

    Args:
        path: the archive of a finished run.
        task: the task that the teacher is to answer for.

    Raises:
        DataError: the file is missing or damaged, or holds no teacher of this task.
    """
    try:
        with zipfile.ZipFile(path) as file:
            recipe = json.loads(file.read("run.json"))["recipe"]
            with np.load(io.BytesIO(file.read("best.keras.npz"))) as arrays:
                names = sorted(set(arrays.files) - {"scaling"})
                weights = [arrays[name].astype(np.float32) for name in names]
        spec, name, of_task = spec_from_dict(recipe["spec"]), str(recipe["name"]), recipe["task"]
    except (OSError, KeyError, ValueError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path}: no archive of a trained run ({error})") from error
    if not isinstance(spec, TeacherSpec) or of_task != task:
        raise DataError(f"{path}: a {type(spec).__name__} for {of_task}, expected a teacher for {task}")
    return Archived(name, spec, weights)
