"""Everything that decides a run's result, as its `run.json` holds it."""

from __future__ import annotations

import hashlib
import sys
from importlib.metadata import version
from typing import Any

import cv2
import keras
import numpy as np

from train.crops.sources import FaceData
from train.data import Dataset
from train.recipes.face_recipe import AnyRecipe, FaceRecipe
from train.training.epochs import Checkpoints


def provenance(recipe: AnyRecipe, data: Dataset | FaceData, checkpoints: Checkpoints) -> dict[str, Any]:
    """Returns everything that decides a run's result; two runs with equal provenance end with equal weights.

    The keys are those of `run.json`: "recipe", "data", "beside" (digests of what the recipe uses next to the
    images, such as boxes and votes), "versions", "backend" and "sources" (digests of the checkpoints).

    Raises:
        DataError: a checkpoint cannot be read.
    """
    backend = keras.backend.backend()
    return {
        "recipe": recipe.to_dict(),
        "data": {"name": data.name, "rows": len(data), "fingerprint": data.fingerprint()},
        "beside": _digests(recipe, data),
        "versions": {
            "python": sys.version.split()[0],
            "keras": keras.__version__,
            backend: version(backend),
            "numpy": np.__version__,
            "opencv": cv2.__version__,
            "imgaug": version("imgaug"),
        },
        "backend": backend,
        "sources": checkpoints.digests(),
    }


def _digests(recipe: AnyRecipe, data: Dataset | FaceData) -> dict[str, str]:
    if isinstance(data, FaceData) or isinstance(recipe, FaceRecipe):
        return data.digests() if isinstance(data, FaceData) else {}
    arrays: dict[str, Any] = {}
    if data.boxes is not None:
        # Widened: the digests in the `run.json` of earlier runs were computed over 64-bit numbers.
        arrays["boxes"] = data.boxes.astype(np.int64)
    if recipe.votes and data.soft_labels is not None:
        arrays["votes"] = data.soft_labels
    if recipe.balance and "age" in data.attributes:
        arrays["ages"] = data.attributes["age"]
    return {
        name: hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:16]
        for name, array in arrays.items()
    }
