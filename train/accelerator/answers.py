"""What teachers answered for all views, kept so that students can be trained again without teachers."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge.errors import DataError
from train.accelerator.pack import Array


@dataclass(frozen=True)
class Answers:
    """The teachers' mean scores.

    Attributes:
        training: (views, N, C) float16, for each view of each picture for training.
        validation: (V, C) float32, for the unchanged pictures for validation.
        pictures: fingerprint of the pack's pictures and labels.
    """

    training: Array
    validation: Array
    pictures: str

    def write(self, path: Path) -> None:
        """Writes a file for `read_answers`."""
        np.savez_compressed(
            path, answers=self.training, val_answers=self.validation, pictures=np.array(self.pictures)
        )


def fingerprint(arrays: Mapping[str, Array]) -> str:
    """Returns a hash of what a pack's answers depend on: its pictures, in their order, and their labels."""
    content = hashlib.sha256()
    for name in ("images", "labels", "val_images", "val_labels"):
        content.update(np.ascontiguousarray(arrays[name]).tobytes())
    return content.hexdigest()


def read_answers(path: Path, pictures: str, views: int) -> Answers:
    """Reads what an earlier run's teachers answered.

    Args:
        path: file of `Answers.write`.
        pictures: fingerprint of the pack that students are trained on.
        views: number of views that the students see.

    Raises:
        DataError: the file is missing, damaged, or for other pictures or another number of views.
    """
    try:
        with np.load(path) as contents:
            found = Answers(contents["answers"], contents["val_answers"], str(contents["pictures"]))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: no answers of an earlier run of this program ({error})") from error
    if found.pictures != pictures:
        raise DataError(f"{path}: the answers are for the pictures of another pack")
    if len(found.training) != views:
        raise DataError(f"{path}: answers for {len(found.training)} views, expected {views}")
    return found
