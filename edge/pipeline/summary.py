"""What a whole run came to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from edge.types import Report


@dataclass(frozen=True)
class Summary:
    """Counts of one run.

    Attributes:
        frames: processed frames.
        seconds: from the first request for a frame to the end.
        dropped: frames that newer ones replaced before they were processed.
        frames_with_face: processed frames with at least one face.
        people: identities given; a face that was lost for long counts again.
        emotions: {label: how often it was reported}.
        genders: the same of apparent gender.
    """

    frames: int
    seconds: float
    dropped: int
    frames_with_face: int
    people: int
    emotions: Mapping[str, int]
    genders: Mapping[str, int]

    def __str__(self) -> str:
        fps = self.frames / self.seconds if self.seconds else 0.0
        return (
            f"{self.frames} frames in {self.seconds:.1f} s ({fps:.1f} FPS), {self.dropped} dropped; "
            f"a face in {self.frames_with_face} of them; identities: {self.people}; "
            f"emotion: {_counts(self.emotions)}; apparent gender: {_counts(self.genders)}"
        )


@dataclass
class Tally:
    """Counts reports while a run goes on."""

    frames: int = 0
    frames_with_face: int = 0
    people: int = 0
    emotions: Counter[str] = field(default_factory=Counter)
    genders: Counter[str] = field(default_factory=Counter)

    def add(self, report: Report) -> None:
        """Counts one report."""
        self.frames += 1
        self.frames_with_face += bool(report.faces)
        self.people = max(self.people, *(face.id for face in report.faces), 0)
        self.emotions.update(face.emotion.label for face in report.faces)
        self.genders.update(face.gender.label for face in report.faces)

    def summary(self, seconds: float, dropped: int) -> Summary:
        """Returns the counts so far, with what only the pipeline knows."""
        return Summary(
            self.frames, seconds, dropped, self.frames_with_face, self.people, self.emotions, self.genders
        )


def _counts(labels: Mapping[str, int]) -> str:
    ordered = sorted(labels.items(), key=lambda item: -item[1])
    return ", ".join(f"{label} {count}" for label, count in ordered) or "none"
