"""How the detector searches."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from edge.errors import ConfigError
from edge.option import option


def _default_threads() -> int:
    # A Pi 4 searches a whole picture three times as fast on its four cores as on one. On two cores of a
    # desktop processor (`bench --threads 2`) a frame took a quarter less time and 40 % more of the
    # processor's: heat, for a loop that keeps up with its camera anyway.
    return 4 if (os.cpu_count() or 1) >= 4 else 1


@dataclass(frozen=True)
class DetectorSettings:
    """How faces are searched for.

    The defaults were measured on two clips of 480x270 with one face in each of 62 frames and three in each
    of 41. They find all 62 of the first, and 98 of the 123 of the second, 109 with hints; five hints were of
    no face. A side of 320 finds 73 of the 123, 81 with hints, in two thirds of the time.
    """

    cascade: Path | None = field(
        default=None,
        metadata=option("Haar cascade file", "--cascade", default="OpenCV's frontal face"),
    )
    side: int = field(
        default=400,
        metadata=option(
            "longer side in pixels of the reduced picture that is searched, 48 to 4096", "--detect-side"
        ),
    )
    scale_factor: float = field(
        default=1.2,
        metadata=option(
            "ratio between one size of face that is searched for and the next, 1.01 to 2", "--detect-scale"
        ),
    )
    min_neighbors: int = field(
        default=4, metadata=option("overlapping hits that make a face, 0 to 20", "--detect-neighbors")
    )
    min_face: float = field(
        default=0.1,
        metadata=option("smallest face, as a share of the picture's height, 0 to 1", "--min-face"),
    )
    threads: int = field(
        default_factory=_default_threads,
        metadata=option(
            "processor threads of the detection, 1 to 64",
            "--detect-threads",
            default="4 where there are as many cores, else 1",
        ),
    )

    def __post_init__(self) -> None:
        for name, value, low, high in (
            ("side", self.side, 48, 4096),
            ("scale factor", self.scale_factor, 1.01, 2),
            ("neighbors", self.min_neighbors, 0, 20),
            ("smallest face", self.min_face, 0, 1),
            ("threads", self.threads, 1, 64),
        ):
            if not low <= value <= high:
                raise ConfigError(f"detector {name} {value}: must be {low} to {high}")
