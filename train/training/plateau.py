"""A learning rate that falls where the validation loss no longer does."""

from __future__ import annotations

import math
from collections.abc import Iterable

# Of Keras' ReduceLROnPlateau, as Arriaga et al. 2017 (arXiv:1710.07557) set it and as it is by default.
_FACTOR = 0.1
_PATIENCE = 12
_MIN_DELTA = 1e-4


def plateau_rate(first: float, losses: Iterable[float]) -> float:
    """The rate of the next epoch: a tenth after every 12 epochs without a loss that is lower by 0.0001.

    Of the losses alone, so that a run that was broken off goes on with the rate that it would have had.

    Args:
        first: of the first epoch.
        losses: on the validation split, of all epochs that are done, in order.
    """
    rate, best, waited = first, math.inf, 0
    for loss in losses:
        waited += 1
        if loss < best - _MIN_DELTA:
            best, waited = loss, 0
        elif waited == _PATIENCE:
            rate, waited = rate * _FACTOR, 0
    return rate
