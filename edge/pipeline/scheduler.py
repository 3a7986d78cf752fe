"""Which faces the networks read in a frame: a few at a time, some times a second, new faces first."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from edge.errors import ConfigError
from edge.option import option
from edge.pipeline.smoothing import EmotionSmoother, GenderSmoother, SmoothingSettings
from edge.types import Box, Gray, Reading, Scores, TrackedFace


class Reader(Protocol):
    """Interface of what reads emotion and apparent gender of a face, such as `FaceReader`."""

    def read_face(self, gray: Gray, box: Box, roll_deg: float) -> tuple[Scores, Scores]:
        """Returns the scores of emotion and apparent gender of one face of a frame, (H, W) uint8."""


@dataclass(frozen=True)
class SchedulerSettings:
    """How often faces are read."""

    read_s: float = field(
        default=0.25, metadata=option("seconds between two readings of a face, 0 to 60", "--read")
    )
    reads: int = field(default=2, metadata=option("faces read in one frame at most", "--reads"))

    def __post_init__(self) -> None:
        if not 0 <= self.read_s <= 60:
            raise ConfigError(f"read_s {self.read_s}: must be 0 to 60 seconds")
        if self.reads < 1:
            raise ConfigError(f"reads {self.reads}: must be at least 1")


class _FaceState:
    """What is known about one face."""

    def __init__(self, smoothing: SmoothingSettings) -> None:
        self.emotion, self.gender = EmotionSmoother(smoothing), GenderSmoother(smoothing)
        self.read_s = -math.inf
        self.readings: tuple[Reading, Reading] | None = None


class ReadingScheduler:
    """Decides which faces the networks read in a frame, and keeps what was read of every tracked face.

    Attributes:
        reader: Reads a face.
    """

    def __init__(
        self,
        reader: Reader,
        settings: SchedulerSettings | None = None,
        smoothing: SmoothingSettings | None = None,
    ) -> None:
        self.reader = reader
        self._settings = settings or SchedulerSettings()
        self._smoothing = smoothing or SmoothingSettings()
        self._states: dict[int, _FaceState] = {}

    def read(
        self,
        gray: Gray,
        faces: Sequence[TrackedFace],
        at_s: float,
        lost_ids: Collection[int] = (),
        *,
        all_at_once: bool = False,
    ) -> dict[int, tuple[Reading, Reading]]:
        """Reads the faces of a frame that are due, and returns what is known about all of them.

        Args:
            gray: (H, W) uint8.
            faces: The faces of the frame.
            at_s: Capture time of the frame in seconds, never falling.
            lost_ids: Identities of faces that went and may come back; their evidence is kept.
            all_at_once: Whether to read every face now, as for still images.

        Returns:
            {id: (emotion, apparent gender)}; a face that was never read yet is missing.
        """
        shown = {face.id: self._states.get(face.id) or _FaceState(self._smoothing) for face in faces}
        self._states = {id_: self._states[id_] for id_ in lost_ids if id_ in self._states} | shown
        due = [
            face
            for face in faces
            # A hidden face is not where its box is.
            if face.seen_s == at_s and at_s - shown[face.id].read_s >= self._settings.read_s
        ]
        due.sort(key=lambda face: shown[face.id].read_s)
        for face in due if all_at_once else due[: self._settings.reads]:
            state = shown[face.id]
            emotion, gender = self.reader.read_face(gray, face.box, face.roll_deg)
            state.readings = state.emotion.add(emotion, at_s), state.gender.add(gender, at_s)
            state.read_s = at_s
        return {id_: state.readings for id_, state in shown.items() if state.readings is not None}
