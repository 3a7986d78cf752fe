"""Which faces the networks read in a frame: a face at a time, some times a second, new ones first."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from edge.errors import ConfigError
from edge.pipeline.smoothing import EmotionSmoother, GenderSmoother, SmoothingSettings
from edge.tracking.tracker import Track
from edge.types import Box, Gray, Reading, Scores


class Reader(Protocol):
    """Whatever reads emotion and apparent gender of faces, such as `edge.inference.classifier.FaceReader`."""

    def read_face(self, gray: Gray, box: Box) -> tuple[Scores, Scores]:
        """Returns the scores of emotion and apparent gender of one face of a frame, (H, W) uint8."""


@dataclass(frozen=True)
class SchedulerSettings:
    """How often faces are read.

    Attributes:
        read_s: from one reading of a face to the next.
        reads: faces read in one frame, at most.
    """

    read_s: float = 0.25
    reads: int = 2

    def __post_init__(self) -> None:
        if not 0 <= self.read_s <= 60 or self.reads < 1:
            raise ConfigError(f"{self}: read_s must be 0 to 60 seconds, reads at least 1")


class _Person:
    """What is known about one face."""

    def __init__(self, settings: SmoothingSettings) -> None:
        self.emotion, self.gender = EmotionSmoother(settings), GenderSmoother(settings)
        self.read_s = -float("inf")
        self.last: tuple[Reading, Reading] | None = None


class ReadingScheduler:
    """Knows what was read of every face that is followed."""

    def __init__(
        self,
        reader: Reader,
        settings: SchedulerSettings | None = None,
        steady: SmoothingSettings | None = None,
    ) -> None:
        self._reader = reader
        self._settings = settings or SchedulerSettings()
        self._steady = steady or SmoothingSettings()
        self._people: dict[int, _Person] = {}

    def read(
        self,
        gray: Gray,
        tracks: Sequence[Track],
        at_s: float,
        away: Collection[int] = (),
        *,
        all_at_once: bool = False,
    ) -> dict[int, tuple[Reading, Reading]]:
        """What can be said about the faces of a frame.

        Args:
            gray: (H, W) uint8.
            tracks: its faces.
            at_s: when it was captured, in seconds, never falling.
            away: of faces that went and may come back under their number, which are remembered.
            all_at_once: read them all now: of pictures that have nothing to do with the next.

        Returns:
            {id: emotion and apparent gender}; a face that was never read yet is missing.
        """
        shown = {track.id: self._people.get(track.id) or _Person(self._steady) for track in tracks}
        self._people = {id_: self._people[id_] for id_ in away if id_ in self._people} | shown
        # A face that is only held is not where its box says.
        due = [
            track
            for track in tracks
            if track.seen_s == at_s and at_s - self._people[track.id].read_s >= self._settings.read_s
        ]
        due.sort(key=lambda track: self._people[track.id].read_s)
        for track in due if all_at_once else due[: self._settings.reads]:
            person = self._people[track.id]
            emotion, gender = self._reader.read_face(gray, track.box)
            person.last = person.emotion.add(emotion, at_s), person.gender.add(gender, at_s)
            person.read_s = at_s
        return {id_: person.last for id_, person in shown.items() if person.last is not None}
