"""Labels that do not flicker: evidence of several frames, and hysteresis."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from edge.errors import ConfigError
from edge.option import option
from edge.types import UNCERTAIN, Reading, Scores


@dataclass(frozen=True)
class SmoothingSettings:
    """How readings are averaged, and when a label is reported.

    With a margin of 0.2 between the new expression's score and the old one's, the label follows a true
    change within 1.4 times the sum of `time_constant_s` and the time between two readings: a second by
    default.
    """

    time_constant_s: float = field(
        default=0.5,
        metadata=option(
            "seconds after which an earlier expression counts for 37 % (1/e) of what it did, 0 to 60",
            "--time-constant",
        ),
    )
    margin: float = field(
        default=0.1,
        metadata=option(
            "lead in score with which another label replaces the reported one, 0 to 1", "--margin"
        ),
    )
    min_confidence_emotion: float = field(
        default=0.4,
        metadata=option("least score of an emotion that is reported, 0 to 1", "--min-confidence-emotion"),
    )
    min_confidence_gender: float = field(
        default=0.65,
        metadata=option(
            "least score of an apparent gender that is reported, 0 to 1", "--min-confidence-gender"
        ),
    )
    memory: int = field(
        default=30,
        metadata=option("readings of a face's apparent gender that are averaged, at most", "--memory"),
    )

    def __post_init__(self) -> None:
        if not 0 <= self.time_constant_s <= 60:
            raise ConfigError(f"time_constant_s {self.time_constant_s}: must be 0 to 60 seconds")
        for name in ("margin", "min_confidence_emotion", "min_confidence_gender"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name} {getattr(self, name)}: must be 0 to 1")
        if self.memory < 1:
            raise ConfigError(f"memory {self.memory}: must be at least 1 reading")


class EmotionSmoother:
    """Smooths the emotion of one face by an exponential mean over time, because expressions pass."""

    def __init__(self, settings: SmoothingSettings) -> None:
        self._settings = settings
        self._values: tuple[float, ...] = ()
        self._at_s = 0.0
        self._label = UNCERTAIN

    def add(self, raw: Scores, at_s: float) -> Reading:
        """Adds a reading and returns the smoothed one.

        Args:
            raw: Scores of a single frame.
            at_s: Capture time of the frame in seconds, never falling.
        """
        if not self._values:
            self._values = raw.values
        else:
            time_constant_s = self._settings.time_constant_s
            weight = math.exp(-(at_s - self._at_s) / time_constant_s) if time_constant_s else 0.0
            pairs = zip(self._values, raw.values, strict=True)
            self._values = tuple(weight * old + (1 - weight) * new for old, new in pairs)
        self._at_s = at_s
        scores = Scores(raw.labels, self._values)
        self._label = _with_hysteresis(
            self._label, scores, self._settings.min_confidence_emotion, self._settings.margin
        )
        return Reading(self._label, scores, raw)


class GenderSmoother:
    """Smooths the apparent gender of one face by the mean of its log scores, because evidence adds up."""

    def __init__(self, settings: SmoothingSettings) -> None:
        self._settings = settings
        self._logarithms: tuple[float, ...] = ()
        self._count = 0
        self._label = UNCERTAIN

    def add(self, raw: Scores, at_s: float) -> Reading:
        """Adds a reading and returns the smoothed one; the time is not used."""
        self._count = min(self._count + 1, self._settings.memory)
        new = tuple(math.log(max(value, 1e-6)) for value in raw.values)
        old = self._logarithms or new
        self._logarithms = tuple(a + (b - a) / self._count for a, b in zip(old, new, strict=True))
        powers = [math.exp(value) for value in self._logarithms]
        total = sum(powers)
        scores = Scores(raw.labels, tuple(power / total for power in powers))
        self._label = _with_hysteresis(
            self._label, scores, self._settings.min_confidence_gender, self._settings.margin
        )
        return Reading(self._label, scores, raw)


def _with_hysteresis(label: str, scores: Scores, min_confidence: float, margin: float) -> str:
    """Returns the label to report, given the one that was reported before."""
    best, confidence = scores.label, scores.confidence
    if label not in (UNCERTAIN, best) and confidence - scores.value(label) < margin:
        best, confidence = label, scores.value(label)
    # A label that is reported already may stay at a slightly lower score than a new one needs.
    threshold = min_confidence if label != best else min_confidence - margin / 2
    return best if confidence >= threshold else UNCERTAIN
