"""The values that flow from the camera to the sinks. All are frozen; only `loop` knows their order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

Gray: TypeAlias = npt.NDArray[np.uint8]

# Said instead of a label where the evidence is thin.
UNCERTAIN = "uncertain"


class Box(NamedTuple):
    """A rectangle in integer pixels of the full frame; `x`, `y` is its upper left corner.

    A tuple, since some are made for every face of every frame, and it is made in a third of the time.
    """

    x: int
    y: int
    width: int
    height: int

    def clipped(self, frame_hw: tuple[int, int]) -> Box | None:
        """The part of the box inside a frame of (height, width), or None where nothing is left."""
        left, top = max(self.x, 0), max(self.y, 0)
        right = min(self.x + self.width, frame_hw[1])
        bottom = min(self.y + self.height, frame_hw[0])
        if right <= left or bottom <= top:
            return None
        return Box(left, top, right - left, bottom - top)

    def iou(self, other: Box) -> float:
        """Returns the intersection over union with another box, 0 to 1.

        Example:
            >>> Box(0, 0, 20, 20).iou(Box(10, 0, 20, 20))
            0.3333333333333333
        """
        width = min(self.x + self.width, other.x + other.width) - max(self.x, other.x)
        height = min(self.y + self.height, other.y + other.height) - max(self.y, other.y)
        if width <= 0 or height <= 0:
            return 0.0
        overlap = width * height
        return overlap / (self.width * self.height + other.width * other.height - overlap)


@dataclass(frozen=True)
class Frame:
    """One captured picture.

    Attributes:
        index: number of the picture in its source, from 0; a live source counts dropped pictures too, so a
            gap in the indices is a drop.
        captured_at: seconds since the source's first picture (a recording: position in it), never falling.
        gray: (H, W) uint8, read-only, valid until the camera is read again; whoever keeps it copies it.
    """

    index: int
    captured_at: float
    gray: Gray


@dataclass(frozen=True)
class Detection:
    """A face found in a frame.

    Attributes:
        box: clipped to the frame.
        confidence: 0 to 1, or None where the detector gives none.
        support: how much speaks for it: from 1 on it is a face, below 1 a hint of one.
    """

    box: Box
    confidence: float | None = None
    support: float = 1.0


@dataclass(frozen=True)
class TrackedFace:
    """A face that the tracker follows, as it is in one frame.

    Attributes:
        id: identity from 1; the same face keeps it from frame to frame.
        box: clipped to the frame.
        seen_s: time in seconds at which the face was last detected or recognised; earlier than the frame's
            while the face is hidden and its box is only held.
    """

    id: int
    box: Box
    seen_s: float


@dataclass(frozen=True)
class Scores:
    """A network's answer for one face: one score from 0 to 1 per label, summing to 1."""

    labels: tuple[str, ...]
    values: tuple[float, ...]

    @property
    def label(self) -> str:
        """The label with the highest score."""
        return self.labels[self.values.index(self.confidence)]

    @property
    def confidence(self) -> float:
        """The highest score."""
        return max(self.values)

    def value(self, label: str) -> float:
        """The score of a label."""
        return self.values[self.labels.index(label)]


@dataclass(frozen=True)
class Reading:
    """What is said about a face, from what was read in its last moments.

    Attributes:
        label: the label, or `UNCERTAIN` where the evidence is thin.
        scores: the evidence.
        raw: what the network said last, of a single frame.
    """

    label: str
    scores: Scores
    raw: Scores

    @property
    def confidence(self) -> float:
        """The score of the label, 0 to 1; the highest one where none is sure enough."""
        return self.scores.confidence if self.label == UNCERTAIN else self.scores.value(self.label)


@dataclass(frozen=True)
class Face:
    """A face as reported. `id` stays the same while the face is followed from frame to frame."""

    id: int
    detection: Detection
    emotion: Reading
    gender: Reading

    @property
    def box(self) -> Box:
        """Where the face is, clipped to the frame."""
        return self.detection.box


@dataclass(frozen=True)
class Rates:
    """How fast things go, frames a second over the last seconds, and what was lost.

    Attributes:
        capture_fps: pictures the source delivered.
        processed_fps: pictures the loop finished.
        dropped: pictures since the start that a live source replaced by newer ones before they were read.
    """

    capture_fps: float
    processed_fps: float
    dropped: int


@dataclass(frozen=True)
class BoardState:
    """What the board says of itself.

    Attributes:
        temperature_c: of the processor, degrees Celsius; None where nothing tells.
        throttled: why its firmware or kernel holds it back now; empty where it does not, or nothing tells.
    """

    temperature_c: float | None = None
    throttled: tuple[str, ...] = ()


@dataclass(frozen=True)
class Report:
    """All that is said about one processed frame.

    Attributes:
        frame: its index.
        captured_at: seconds since the source's first picture.
        rates: up to now.
        faces: seen in it.
        board: as it was lately.
        brightness: how light the pictures are, 0 (black) to 1 (white).
    """

    frame: int
    captured_at: float
    rates: Rates
    faces: tuple[Face, ...]
    board: BoardState = BoardState()
    brightness: float = 0.0
