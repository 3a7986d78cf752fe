"""The values that flow from the camera to the sinks. All are frozen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

Gray: TypeAlias = npt.NDArray[np.uint8]

# Reported instead of a label where the evidence is thin.
UNCERTAIN = "uncertain"


class Box(NamedTuple):
    """A rectangle in integer pixels of the full frame; (`x`, `y`) is its upper left corner.

    A NamedTuple, because it is created in a third of the time of a frozen dataclass, several times for each
    face and frame.
    """

    x: int
    y: int
    width: int
    height: int

    def clipped(self, frame_hw: tuple[int, int]) -> Box | None:
        """Returns the part of the box inside a frame of (height, width), or None if nothing is left."""
        x, y, width, height = self
        # As nearly always.
        if 0 <= x < x + width <= frame_hw[1] and 0 <= y < y + height <= frame_hw[0]:
            return self
        left, top = max(x, 0), max(y, 0)
        right, bottom = min(x + width, frame_hw[1]), min(y + height, frame_hw[0])
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
    """One captured frame.

    Attributes:
        index: Number of the frame in its source, from 0; a live source counts dropped frames too, so that a
            gap in the indices is a drop.
        captured_at: Seconds since the first frame of the source (for a recording: position in it), never
            falling.
        gray: (H, W) uint8, read-only, valid until the camera is read again; a stage that keeps it must copy
            it.
    """

    index: int
    captured_at: float
    gray: Gray


@dataclass(frozen=True)
class Detection:
    """A face found in a frame.

    Attributes:
        box: Clipped to the frame.
        confidence: 0 to 1, or None if the detector computes none.
    """

    box: Box
    confidence: float | None = None


class TrackedFace(NamedTuple):
    """A face that the tracker follows, as it is in one frame. A NamedTuple for the same reason as `Box`.

    Attributes:
        id: Identity from 1; the same face keeps it from frame to frame.
        box: Square around the face; may reach beyond the frame.
        seen_s: Time in seconds at which the face was last detected or recognised; earlier than the frame's
            while the face is hidden and its box is only held.
        confidence: Confidence that it is a face, 0 to 1.
        roll_deg: Turn of the head in the image plane, clockwise in degrees.
    """

    id: int
    box: Box
    seen_s: float
    confidence: float | None = None
    roll_deg: float = 0.0


@dataclass(frozen=True)
class Scores:
    """A network's output for one face: a score from 0 to 1 for each label; they sum to 1."""

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
        """Returns the score of a label."""
        return self.values[self.labels.index(label)]


@dataclass(frozen=True)
class Reading:
    """What is reported about a face: scores smoothed over its last frames.

    Attributes:
        label: The label, or `UNCERTAIN` where the evidence is thin.
        scores: Smoothed scores.
        raw: Scores of the last single frame that a network read.
    """

    label: str
    scores: Scores
    raw: Scores

    @property
    def confidence(self) -> float:
        """The score of the label, 0 to 1; the highest score if the label is `UNCERTAIN`."""
        return self.scores.confidence if self.label == UNCERTAIN else self.scores.value(self.label)


@dataclass(frozen=True)
class Face:
    """A face as reported. Its `id` stays the same while the face is followed from frame to frame."""

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
    """Frames per second over the last seconds, and dropped frames since the start.

    Attributes:
        capture_fps: Frames per second that the source delivered.
        processed_fps: Frames per second that the loop finished.
        dropped: Frames that a live source replaced by newer ones before they were processed.
    """

    capture_fps: float
    processed_fps: float
    dropped: int


@dataclass(frozen=True)
class BoardState:
    """State of the board's sensors.

    Attributes:
        temperature_c: Temperature of the processor in degrees Celsius; None if there is no sensor.
        throttled: Reasons why firmware or kernel slow the processor down now; empty if they do not, or
            nothing reports it.
    """

    temperature_c: float | None = None
    throttled: tuple[str, ...] = ()


@dataclass(frozen=True)
class Report:
    """Everything that is reported about one processed frame.

    Attributes:
        frame: Index of the frame.
        captured_at: Seconds since the first frame of the source.
        rates: Frames per second up to now.
        faces: Faces in the frame, from left to right.
        board: Last sample of the board's sensors.
        brightness: Mean brightness of the frames, 0 (black) to 1 (white).
    """

    frame: int
    captured_at: float
    rates: Rates
    faces: tuple[Face, ...]
    board: BoardState = BoardState()
    brightness: float = 0.0
