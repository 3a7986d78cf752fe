"""Hands the newest frame from the loop to whoever looks, and never more than one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from edge.output.sink import IdleReason
from edge.types import Box, Frame, Gray, Report

# A viewer sees at most so many frames in a second: enough to aim by, and little work for the device.
_INTERVAL_S = 0.1


@dataclass(frozen=True)
class Shot:
    """A frame that a viewer has asked for.

    Attributes:
        number: Counts the shots, from 1.
        gray: (H, W) uint8, a copy of the frame's pixels.
        report: What was read in it.
        possible_faces: Boxes that may hold a face, reported or not; may reach beyond the frame.
    """

    number: int
    gray: Gray
    report: Report
    possible_faces: tuple[Box, ...] = ()


class LatestFrame:
    """A slot for one frame. The loop fills it only while somebody waits for it, and never waits itself.

    Attributes:
        reason: Why there was no frame when the loop last had none; None while frames come.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.reason: IdleReason | None = None
        self._clock = clock
        self._changed = threading.Condition()  # guards all below
        self._shot: Shot | None = None
        self._number = 0
        self._filled_s = -float("inf")
        self._is_wanted = False
        self._closed = False

    def put(self, frame: Frame, report: Report, possible_faces: Callable[[], Iterable[Box]] = tuple) -> None:
        """Copies a frame into the slot if somebody waits for one, ten times a second at most.

        Args:
            frame: The frame.
            report: What was read in it.
            possible_faces: Returns the boxes that may hold a face; called only for a frame that is copied.
        """
        self.reason = None
        # Read without the lock: a viewer that has just begun to wait gets the next frame.
        if not self._is_wanted or self._clock() - self._filled_s < _INTERVAL_S:
            return
        gray, boxes = frame.gray.copy(), tuple(possible_faces())
        with self._changed:
            if self._closed:
                return
            self._filled_s = self._clock()
            self._number += 1
            self._shot = Shot(self._number, gray, report, boxes)
            self._is_wanted = False
            self._changed.notify_all()

    def note(self, reason: IdleReason) -> None:
        """Notes why there is no frame."""
        self.reason = reason

    def wait(self, timeout_s: float) -> Shot | None:
        """Returns the next frame that the loop processes; None if there is none in time, or after closing."""
        with self._changed:
            before = self._number
            self._is_wanted = True
            self._changed.wait_for(lambda: self._number != before or self._closed, timeout_s)
            return self._shot if self._number != before else None

    def close(self) -> None:
        """Forgets the frame, and lets nobody wait any longer."""
        with self._changed:
            self._closed = True
            self._shot = None
            self._changed.notify_all()
