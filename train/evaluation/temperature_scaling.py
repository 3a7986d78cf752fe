"""How far confidences can be believed, and the one number that mends most of it.

Both as in Guo et al. 2017 (arXiv:1706.04599).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.errors import ConfigError, DataError

BINS = 15
MIN_TEMPERATURE, MAX_TEMPERATURE = 0.25, 8.0

# Of log temperature: far below what four written digits show.
_TOLERANCE = 1e-7
_GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True)
class Bin:
    """The predictions whose confidence lies in (low, high].

    Attributes:
        low: lower end, 0 to 1; not part of the bin, save for 0.
        high: upper end, 0 to 1; part of the bin.
        count: number of predictions.
        confidence: their mean confidence, 0 to 1; nan where there are none.
        accuracy: share of them that are right, 0 to 1; nan where there are none.
    """

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class TemperatureScaling:
    """Confidences of one split before and after the logits are divided by a temperature.

    Attributes:
        temperature: above 0; 1 changes nothing.
        temperature_from: the split that it was fitted on; None where it was not fitted.
        ece: expected calibration error at temperature 1, 0 to 1.
        ece_after: the same at `temperature`.
        nll: mean negative log-likelihood of the labels at temperature 1, nats.
        nll_after: the same at `temperature`.
        bins: reliability at temperature 1.
        bins_after: the same at `temperature`.
    """

    temperature: float
    temperature_from: str | None
    ece: float
    ece_after: float
    nll: float
    nll_after: float
    bins: tuple[Bin, ...]
    bins_after: tuple[Bin, ...]

    def to_dict(self) -> dict[str, Any]:
        """The figures as JSON holds them, without the bins."""
        return {
            "temperature": round(self.temperature, 4),
            "temperature_from": self.temperature_from,
            "ece": round(self.ece, 4),
            "ece_after": round(self.ece_after, 4),
            "nll": round(self.nll, 4),
            "nll_after": round(self.nll_after, 4),
        }


def evaluate_temperature(
    logits: npt.NDArray[Any], labels: npt.NDArray[np.int64], temperature: float, temperature_from: str | None
) -> TemperatureScaling:
    """Measures confidences at temperature 1 and at another.

    Args:
        logits: (N, C) float.
        labels: (N,) what is annotated.
        temperature: above 0.
        temperature_from: the split that it was fitted on; None where it was not fitted.

    Raises:
        ConfigError: the temperature is not above 0.
        DataError: the arrays do not belong together.
    """
    hits = logits.argmax(axis=1) == labels
    before, after = (softmax(logits, value).max(axis=1) for value in (1.0, temperature))
    return TemperatureScaling(
        temperature,
        temperature_from,
        expected_calibration_error(before, hits),
        expected_calibration_error(after, hits),
        negative_log_likelihood(logits, labels),
        negative_log_likelihood(logits, labels, temperature),
        reliability(before, hits),
        reliability(after, hits),
    )


def softmax(logits: npt.NDArray[Any], temperature: float = 1.0) -> npt.NDArray[np.float64]:
    """Scores of logits, each row summing to 1, without overflow.

    Args:
        logits: (N, C) float or integer.
        temperature: logits are divided by it, above 0; more than 1 makes scores more even.

    Returns:
        (N, C) float64, 0 to 1.

    Raises:
        ConfigError: the temperature is not above 0.
    """
    return np.exp(_log_softmax(logits, temperature))


def negative_log_likelihood(
    logits: npt.NDArray[Any], labels: npt.NDArray[np.int64], temperature: float = 1.0
) -> float:
    """Mean of -log of the score that (N, C) logits give the (N,) labels at a temperature, in nats.

    Raises:
        ConfigError: the temperature is not above 0.
        DataError: there is no row, the arrays do not belong together, or a logit is not finite.
    """
    _check_logits(logits, labels)
    return float(-_log_softmax(logits, temperature)[np.arange(len(labels)), labels].mean())


def fit_temperature(logits: npt.NDArray[Any], labels: npt.NDArray[np.int64]) -> float:
    """The temperature under which the labels are likeliest (Guo et al. 2017, section 4.2).

    The likelihood has one peak along the temperature, so golden sections of its logarithm find it. To be
    fitted on the validation split alone.

    Args:
        logits: (N, C) float, N at least 1.
        labels: (N,) index of the label, 0 to C - 1.

    Returns:
        0.25 to 8; 1 where none is better than that.

    Raises:
        DataError: there is no row, the arrays do not belong together, or a logit is not finite.
    """
    _check_logits(logits, labels)

    def loss(log_temperature: float) -> float:
        return negative_log_likelihood(logits, labels, math.exp(log_temperature))

    low, high = math.log(MIN_TEMPERATURE), math.log(MAX_TEMPERATURE)
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    loss_left, loss_right = loss(left), loss(right)
    while high - low > _TOLERANCE:
        if loss_left <= loss_right:
            high, right, loss_right = right, left, loss_left
            left = high - _GOLDEN * (high - low)
            loss_left = loss(left)
        else:
            low, left, loss_left = left, right, loss_right
            right = low + _GOLDEN * (high - low)
            loss_right = loss(right)
    # The search never asks for the ends themselves, where the best lies for a network that is always right.
    found = min((math.log(MIN_TEMPERATURE), (low + high) / 2, math.log(MAX_TEMPERATURE)), key=loss)
    return math.exp(found) if loss(found) < loss(0.0) - 1e-12 else 1.0


def reliability(
    confidence: npt.NDArray[np.float64], hits: npt.NDArray[np.bool_], bins: int = BINS
) -> tuple[Bin, ...]:
    """Accuracy against confidence, in bins of equal width (Guo et al. 2017, equation 3 and before).

    Args:
        confidence: (N,) float, top score of each prediction, 0 to 1.
        hits: (N,) whether each was right.
        bins: number of them, at least 1.

    Returns:
        All bins from 0 to 1, the empty ones too.

    Raises:
        ConfigError: fewer than one bin.
        DataError: there is no prediction, the arrays do not belong together, or a confidence is not 0 to 1.
    """
    if bins < 1:
        raise ConfigError(f"{bins} bins of confidence: expected at least 1")
    if confidence.shape != hits.shape or confidence.ndim != 1 or not len(hits):
        raise DataError(
            f"confidence {confidence.shape} for hits {hits.shape}: expected one for each, at least 1"
        )
    outside = ~((confidence >= 0) & (confidence <= 1))  # nan too
    if outside.any():
        raise DataError(f"confidence {confidence[outside][0]}: expected 0 to 1")
    edges = np.linspace(0, 1, bins + 1)
    numbers = np.searchsorted(edges[1:-1], confidence, side="left")
    found = []
    for number in range(bins):
        inside = numbers == number
        count = int(inside.sum())
        found.append(
            Bin(
                float(edges[number]),
                float(edges[number + 1]),
                count,
                float(confidence[inside].mean()) if count else math.nan,
                float(hits[inside].mean()) if count else math.nan,
            )
        )
    return tuple(found)


def expected_calibration_error(
    confidence: npt.NDArray[np.float64], hits: npt.NDArray[np.bool_], bins: int = BINS
) -> float:
    """Mean over all predictions of |accuracy - confidence| of their bin (Guo et al. 2017, equation 5).

    Arguments and errors are those of `reliability`; 0 to 1, 0 for confidences that hold what they say.
    """
    filled = [each for each in reliability(confidence, hits, bins) if each.count]
    return sum(each.count * abs(each.accuracy - each.confidence) for each in filled) / len(hits)


def _log_softmax(logits: npt.NDArray[Any], temperature: float) -> npt.NDArray[np.float64]:
    if not 0 < temperature < math.inf:
        raise ConfigError(f"temperature {temperature}: expected a finite number above 0")
    # In float64 before anything is taken away: 8-bit logits would wrap around.
    wide = np.asarray(logits, dtype=np.float64)
    shifted = (wide - wide.max(axis=1, keepdims=True)) / temperature
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)), dtype=np.float64)


def _check_logits(logits: npt.NDArray[Any], labels: npt.NDArray[np.int64]) -> None:
    if logits.ndim != 2 or labels.shape != (len(logits),) or not len(labels):
        raise DataError(
            f"logits {logits.shape} for labels {labels.shape}: expected (N, C) for (N,), N above 0"
        )
    if labels.min() < 0 or labels.max() >= logits.shape[1]:
        raise DataError(
            f"labels {labels.min()} to {labels.max()} for {logits.shape[1]} logits: "
            f"expected 0 to {logits.shape[1] - 1}"
        )
    if not np.isfinite(logits).all():
        raise DataError("a logit is not finite; the network's weights have run away")
