"""How much work the tracker does for a frame, and when it gives a face up."""

from __future__ import annotations

from dataclasses import dataclass, field

from edge.errors import ConfigError
from edge.option import option


@dataclass(frozen=True)
class TrackingSettings:
    """How much is done for a frame, and how long a face is believed in. Times are 0 to 3600 seconds."""

    search_s: float = field(
        default=0.65,
        metadata=option("seconds between searches of the whole picture while faces are followed", "--search"),
    )
    idle_s: float = field(
        default=1.0,
        metadata=option("seconds between searches while nobody is there and nothing moves", "--idle"),
    )
    alert_s: float = field(
        default=0.25,
        metadata=option(
            "seconds between searches while nobody is there, but something moves or a face was just lost",
            "--alert",
        ),
    )
    min_confidence: float = field(
        default=0.7,
        metadata=option("least confidence of a face in a still picture, 0 to 1", "--min-confidence"),
    )
    min_evidence: float = field(
        default=2.5,
        metadata=option(
            "evidence from which a face is reported: sum of the log odds of its looks, at most 2 for each, "
            "0 to 8",
            "--min-evidence",
        ),
    )
    min_correlation: float = field(
        default=0.8,
        metadata=option(
            "least correlation with its earlier look for a face to be followed, 0 to 1", "--min-correlation"
        ),
    )
    coast_s: float = field(
        default=0.15,
        metadata=option("seconds for which a face that is no longer seen is still reported", "--coast"),
    )
    lost_track_s: float = field(
        default=2.0,
        metadata=option(
            "seconds within which a face that went gets its number back when it returns", "--lost-track"
        ),
    )
    max_unverified_s: float = field(
        default=0.4,
        metadata=option(
            "seconds for which a face is followed by its looks alone, while the network sees none there",
            "--max-unverified",
        ),
    )

    def __post_init__(self) -> None:
        for name in (
            "search_s",
            "idle_s",
            "alert_s",
            "coast_s",
            "lost_track_s",
            "max_unverified_s",
        ):
            if not 0 <= getattr(self, name) <= 3600:
                raise ConfigError(f"{name} {getattr(self, name)}: must be 0 to 3600 seconds")
        if not 0 <= self.min_evidence <= 8:
            raise ConfigError(f"min_evidence {self.min_evidence}: must be 0 to 8")
        if not 0 <= self.min_correlation <= 1:
            raise ConfigError(f"min_correlation {self.min_correlation}: must be 0 to 1")
        if not 0 <= self.min_confidence <= 1:
            raise ConfigError(f"min_confidence {self.min_confidence}: must be 0 to 1")
