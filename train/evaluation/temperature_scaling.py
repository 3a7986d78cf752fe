"""Measures how well confidences match accuracy, and fits the temperature that improves the match.

Both follow Guo et al. 2017 (arXiv:1706.04599).
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

# In the logarithm of the temperature; a report shows four digits.
_TOLERANCE = 1e-7
_GOLDEN_RATIO = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True)
class Bin:
    """The predictions whose confidence lies in (low, high].

    Attributes:
        low: lower end, 0 to 1, which belongs to the bin only if it is 0.
        high: upper end, 0 to 1, which belongs to the bin.
        count: number of predictions.
        confidence: mean confidence of the predictions, 0 to 1; nan for an empty bin.
        accuracy: share of the predictions that are right, 0 to 1; nan for an empty bin.
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
        temperature_from: where the temperature was fitted; None if it was not fitted.
        ece: expected calibration error at temperature 1, 0 to 1.
        ece_after: expected calibration error at `temperature`.
        nll: mean negative log-likelihood of the labels at temperature 1, in nats.
        nll_after: mean negative log-likelihood at `temperature`.
        bins: accuracy against confidence at temperature 1.
        bins_after: accuracy against confidence at `temperature`.
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
        """Returns the numbers for a JSON file, without the bins."""
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
    """Measures confidences at temperature 1 and at another temperature.

    Args:
        logits: (N, C) float.
        labels: (N,) annotated labels, 0 to C - 1.
        temperature: temperature above 0.
        temperature_from: where the temperature was fitted, for the record; None if it was not fitted.

    Raises:
        ConfigError: the temperature is not above 0.
        DataError: the arrays do not match.
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
    """Computes scores from logits without overflow.

    Args:
        logits: (N, C) float or integer.
        temperature: divisor of the logits, above 0; more than 1 makes scores more even.

    Returns:
        (N, C) float64, 0 to 1, each row summing to 1.

    Raises:
        ConfigError: the temperature is not above 0.
    """
    return np.exp(_log_softmax(logits, temperature))


def negative_log_likelihood(
    logits: npt.NDArray[Any], labels: npt.NDArray[np.int64], temperature: float = 1.0
) -> float:
    """Computes the mean of -log(score of the label), in nats.

    Args:
        logits: (N, C) float, N at least 1.
        labels: (N,) annotated labels, 0 to C - 1.
        temperature: divisor of the logits, above 0.

    Raises:
        ConfigError: the temperature is not above 0.
        DataError: there is no row, the arrays do not match, or a logit is not finite.
    """
    _check_logits(logits, labels)
    return float(-_log_softmax(logits, temperature)[np.arange(len(labels)), labels].mean())


def fit_temperature(logits: npt.NDArray[Any], labels: npt.NDArray[np.int64]) -> float:
    """Finds the temperature that maximizes the likelihood of the labels (Guo et al. 2017, section 4.2).

    The likelihood has a single maximum over the temperature, so a golden-section search over the logarithm of
    the temperature finds it. Only the validation split may be used.

    Args:
        logits: (N, C) float, N at least 1.
        labels: (N,) annotated labels, 0 to C - 1.

    Returns:
        The temperature, 0.25 to 8; 1 if no other is better.

    Raises:
        DataError: there is no row, the arrays do not match, or a logit is not finite.
    """
    _check_logits(logits, labels)

    def loss(log_temperature: float) -> float:
        return negative_log_likelihood(logits, labels, math.exp(log_temperature))

    low, high = math.log(MIN_TEMPERATURE), math.log(MAX_TEMPERATURE)
    left, right = high - _GOLDEN_RATIO * (high - low), low + _GOLDEN_RATIO * (high - low)
    loss_left, loss_right = loss(left), loss(right)
    while high - low > _TOLERANCE:
        if loss_left <= loss_right:
            high, right, loss_right = right, left, loss_left
            left = high - _GOLDEN_RATIO * (high - low)
            loss_left = loss(left)
        else:
            low, left, loss_left = left, right, loss_right
            right = low + _GOLDEN_RATIO * (high - low)
            loss_right = loss(right)
    # The search never tries the ends themselves, where the best one lies for a network that is always right.
    best = min((math.log(MIN_TEMPERATURE), (low + high) / 2, math.log(MAX_TEMPERATURE)), key=loss)
    return math.exp(best) if loss(best) < loss(0.0) - 1e-12 else 1.0


def reliability(
    confidence: npt.NDArray[np.float64], hits: npt.NDArray[np.bool_], bins: int = BINS
) -> tuple[Bin, ...]:
    """Computes accuracy against confidence in bins of equal width (Guo et al. 2017, section 2).

    Args:
        confidence: (N,) float, top score of each prediction, 0 to 1.
        hits: (N,) bool, whether each prediction is right.
        bins: number of bins, at least 1.

    Returns:
        All bins from 0 to 1, including empty ones.

    Raises:
        ConfigError: there are fewer than 1 bins.
        DataError: there is no prediction, the arrays do not match, or a confidence is not from 0 to 1.
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
    result = []
    for number in range(bins):
        inside = numbers == number
        count = int(inside.sum())
        result.append(
            Bin(
                float(edges[number]),
                float(edges[number + 1]),
                count,
                float(confidence[inside].mean()) if count else math.nan,
                float(hits[inside].mean()) if count else math.nan,
            )
        )
    return tuple(result)


def expected_calibration_error(
    confidence: npt.NDArray[np.float64], hits: npt.NDArray[np.bool_], bins: int = BINS
) -> float:
    """Computes the mean of |accuracy - confidence| over the bins, weighted by their counts (Guo et al. 2017).

    Arguments and errors are those of `reliability`.

    Returns:
        0 to 1; 0 if accuracy equals confidence in every bin.
    """
    filled = [each for each in reliability(confidence, hits, bins) if each.count]
    return sum(each.count * abs(each.accuracy - each.confidence) for each in filled) / len(hits)


def _log_softmax(logits: npt.NDArray[Any], temperature: float) -> npt.NDArray[np.float64]:
    if not 0 < temperature < math.inf:
        raise ConfigError(f"temperature {temperature}: expected a finite number above 0")
    # Converted to float64 before the subtraction, in which 8-bit logits would overflow.
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
        raise DataError("a logit is not finite; the network's weights have diverged")
