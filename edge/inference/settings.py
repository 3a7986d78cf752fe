"""Which networks find and read a face, and on how many threads."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from edge.errors import ConfigError
from edge.option import option


@dataclass(frozen=True)
class ModelSettings:
    """The networks. A path names a .tflite file or its .json contract; None takes the installed network."""

    emotion: Path | None = field(
        default=None,
        metadata=option(
            "emotion network: its .tflite or .json file", "--emotion-model", default="the one installed"
        ),
    )
    gender: Path | None = field(
        default=None,
        metadata=option(
            "gender network: its .tflite or .json file", "--gender-model", default="the one installed"
        ),
    )
    proposal: Path | None = field(
        default=None,
        metadata=option(
            "network that proposes faces and gives a second opinion: its .tflite or .json file",
            "--proposal-model",
            default="the one installed",
        ),
    )
    refinement: Path | None = field(
        default=None,
        metadata=option(
            "network that judges faces: its .tflite or .json file",
            "--refinement-model",
            default="the one installed",
        ),
    )
    threads: int = field(
        default=1, metadata=option("processor threads of each network, 1 to 64", "--threads")
    )

    def __post_init__(self) -> None:
        if not 1 <= self.threads <= 64:
            raise ConfigError(f"--threads {self.threads}: must be 1 to 64")
