"""How the detector searches."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from edge.errors import ConfigError
from edge.option import option


def _default_threads() -> int:
    # A Pi 4 searches a whole picture with the cascade three times as fast on its four cores as on one.
    return 4 if (os.cpu_count() or 1) >= 4 else 1


@dataclass(frozen=True)
class DetectorSettings:
    """How faces are searched for."""

    kind: Literal["network", "haar"] = field(
        default="network",
        metadata=option(
            "what proposes faces: the network, or OpenCV's Haar cascade, which sees fewer and takes longer; "
            "a second network judges either's proposals",
            "--detector",
        ),
    )
    min_face: int = field(
        default=24, metadata=option("side of the smallest face in pixels, 16 to 1000", "--min-face")
    )
    cascade: Path | None = field(
        default=None,
        metadata=option("file of the Haar cascade", "--cascade", default="OpenCV's frontal face"),
    )
    threads: int = field(
        default_factory=_default_threads,
        metadata=option(
            "processor threads of OpenCV, 1 to 64",
            "--detect-threads",
            default="4 where there are as many cores, else 1",
        ),
    )

    def __post_init__(self) -> None:
        for name, value, low, high in (
            ("smallest face", self.min_face, 16, 1000),
            ("threads", self.threads, 1, 64),
        ):
            if not low <= value <= high:
                raise ConfigError(f"detector {name} {value}: must be {low} to {high}")
        if self.cascade is not None and self.kind != "haar":
            raise ConfigError(
                f"cascade {self.cascade}: used by --detector haar only; add that or leave it out"
            )
