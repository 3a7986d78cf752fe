"""The calibration crops of networks that find faces: a committed seed and count, from the training split.

A crop is a pure function of the sources, the seed and its index, so these two stand for a list of crops.
"""

from __future__ import annotations

import json
from pathlib import Path

from edge.errors import DataError
from edge.types import Gray
from quantize.conversion import calibration_set
from train.crops.sampler import FaceTask, Sampler, draw_crops

_BOTH_ENDS = (0, 255)


def calibration_crops(task: FaceTask, sampler: Sampler, folder: Path | None = None) -> Gray:
    """Draws a task's calibration crops.

    Args:
        task: "proposal" or "refinement".
        sampler: draws crops of the training split.
        folder: folder of `<task>.json`; by default `calibration_set.LISTS`.

    Returns:
        (N, size, size) uint8, in which both 0 and 255 occur.

    Raises:
        DataError: the file is missing or damaged.
    """
    seed, count = read_seed(task, folder)
    images, _ = draw_crops(sampler, seed, 0, range(count))
    images[0, 0, :2] = _BOTH_ENDS
    return images


def read_seed(task: FaceTask, folder: Path | None = None) -> tuple[int, int]:
    """Returns seed and number of a task's calibration crops.

    Raises:
        DataError: the file is missing or damaged.
    """
    path = (folder or calibration_set.LISTS) / f"{task}.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        seed, count = content["seed"], content["count"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: expected an object with seed and count of the crops ({error})") from error
    if not (isinstance(seed, int) and isinstance(count, int) and seed >= 0 and count > 0):
        raise DataError(f"{path}: seed {seed!r} and count {count!r}; expected whole numbers, count above 0")
    return seed, count
