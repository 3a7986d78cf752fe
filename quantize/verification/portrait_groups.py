"""The recall of a refinement network by group of people, on portraits whose people are annotated."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from edge.detection.outputs import CROP_MARGIN
from edge.inference.preprocess import normalize_contrast
from edge.types import Gray
from train.crops.warp import similarity, warp
from train.data.portraits import Portraits
from train.evaluation.metrics import by_group


def portrait_crops(portraits: Portraits, size: int) -> Gray:
    """Returns the crop around the face of every portrait, (N, size, size) uint8."""
    middle = (size - 1) / 2
    matrix = similarity(portraits.centre_xy, (middle, middle), size / CROP_MARGIN / portraits.side, 0.0)
    crops = [normalize_contrast(warp(portraits.image(row), matrix, size)) for row in range(len(portraits))]
    return np.array(crops, np.uint8).reshape(-1, size, size)


def recall_by_group(portraits: Portraits, logits: npt.NDArray[Any], threshold: float) -> dict[str, Any]:
    """Returns the share of each group's portraits that are taken for faces.

    Args:
        portraits: N portraits with groups.
        logits: (N,) logits of their crops.
        threshold: the lowest logit that counts as a face.

    Returns:
        {group: {"count", "recall"}}; a group without anybody is left out.
    """
    results = by_group(dict(portraits.groups), np.asarray(logits >= threshold, np.bool_))
    return {
        name: {"count": result["count"], "recall": result["accuracy"]} for name, result in results.items()
    }
