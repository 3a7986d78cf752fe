"""Groups rows by label, age band and ethnicity, to evaluate each group and to balance the classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from train.data import Dataset
from train.data.utkface import ETHNICITIES
from train.evaluation.metrics import by_group

# The oldest age of each band in years, and the band's name.
_AGES = ((12, "age 0-12"), (19, "age 13-19"), (39, "age 20-39"), (59, "age 40-59"), (200, "age 60+"))


def evaluate_groups(rows: Dataset, hits: npt.NDArray[np.bool_]) -> dict[str, Any]:
    """Computes the accuracy per label, age band and ethnicity, where the dataset annotates these.

    Args:
        rows: N rows.
        hits: (N,) bool, whether each row's prediction is right.

    Returns:
        {group: {"count": ..., "accuracy": ...}}; empty for a dataset without ages and ethnicities.
    """
    return by_group(group_masks(rows), hits)


def group_masks(rows: Dataset) -> dict[str, npt.NDArray[np.bool_]]:
    """Returns {group: which of the N rows belong to it}, (N,) bool each, as in `evaluate_groups`."""
    groups = {}
    if "age" in rows.attributes:
        band = _age_band(rows)
        groups = {name: band == number for number, (_, name) in enumerate(_AGES)}
        groups["age 13+"] = band >= 1
    if "ethnicity" in rows.attributes:
        for number, name in enumerate(ETHNICITIES):
            groups[f"ethnicity {name}"] = rows.attributes["ethnicity"] == number
    if groups:
        for label, name in enumerate(rows.label_names):
            groups[f"annotated {name}"] = rows.labels == label
    return groups


def balanced_weights(rows: Dataset, power: float) -> npt.NDArray[np.float32]:
    """Computes the weight of each row in the loss from the number of rows like it.

    Args:
        rows: N rows. Rows are alike if they have the same label and, where the dataset has ages, age band.
        power: a weight is the number of such rows to the power of minus this; 0 weights all rows alike, 1
            gives each kind of rows the same total weight.

    Returns:
        (N,) float32, 1 in the mean.
    """
    cells = rows.labels
    if "age" in rows.attributes:
        cells = cells * len(_AGES) + _age_band(rows)
    counts = np.bincount(cells)
    weights = (counts[cells] / len(rows)) ** -power
    return np.asarray(weights / weights.mean(), dtype=np.float32)


def _age_band(rows: Dataset) -> npt.NDArray[np.int64]:
    return np.searchsorted([oldest for oldest, _ in _AGES], rows.attributes["age"]).astype(np.int64)
