"""Plays frames of known times at their own pace, or as fast as they are taken."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator

import cv2
import numpy as np

from edge.sources.camera import TICK_S, BaseCamera, orient
from edge.sources.settings import CaptureSettings
from edge.types import Frame, Gray

# Yields non-decreasing seconds since the first frame, and the frame; None for a frame that was skipped.
TimedFrames = Generator[tuple[float, Gray] | None, None, None]


class PacedCamera(BaseCamera):
    """A camera that plays frames of known times; it never drops one."""

    def __init__(
        self,
        name: str,
        timed_frames: TimedFrames,
        settings: CaptureSettings,
        *,
        fast: bool,
        yields_stills: bool = False,
    ) -> None:
        """Reads nothing yet: the generator opens what it needs when it is first asked.

        Args:
            name: The name of the source in messages.
            timed_frames: The frames to play; closed with the camera.
            settings: The form in which frames are wanted; frames are cropped to the proportions of the size
                and scaled to it.
            fast: Whether to play as fast as frames are taken instead of at their own pace.
            yields_stills: Whether the frames are unrelated images.
        """
        super().__init__(name, yields_stills=yields_stills)
        self._timed_frames = timed_frames
        self._settings = settings
        self._fast = fast
        self._start_s = 0.0
        self._frames = self._play()

    def close(self) -> None:
        """Releases what the frames are read from."""
        super().close()
        self._frames.close()
        self._timed_frames.close()

    def _next(self) -> Frame | None:
        return next(self._frames)

    def _play(self) -> Generator[Frame | None, None, None]:
        for timed_frame in self._timed_frames:
            if timed_frame is None:
                yield None
                continue
            captured_at, gray = timed_frame
            if not self._fast:
                yield from self._wait(captured_at)
            frame = Frame(self._captured, captured_at, orient(self._fit(gray), self._settings))
            self._captured += 1
            yield frame

    def _wait(self, captured_at: float) -> Iterator[None]:
        """Ticks until a frame is due."""
        if self._captured == 0:
            self._start_s = time.monotonic() - captured_at
        while (remaining_s := self._start_s + captured_at - time.monotonic()) > 0:
            self._closed.wait(min(remaining_s, TICK_S))
            if remaining_s > TICK_S:
                yield None

    def _fit(self, gray: Gray) -> Gray:
        """Crops a frame to the proportions of the wanted size, and scales it."""
        size_wh = self._settings.size_wh
        if size_wh is None or size_wh == (gray.shape[1], gray.shape[0]):
            return gray
        # Stretching would change the expression of a face, so the middle of other proportions is cropped.
        height, width = gray.shape
        ratio = min(width / size_wh[0], height / size_wh[1])
        crop_width, crop_height = (max(1, round(side * ratio)) for side in size_wh)
        left, top = (width - crop_width) // 2, (height - crop_height) // 2
        crop = gray[top : top + crop_height, left : left + crop_width]
        # Area averaging prevents aliasing in a smaller frame; it is unsuitable for enlarging.
        method = cv2.INTER_AREA if ratio > 1 else cv2.INTER_LINEAR_EXACT
        return np.asarray(cv2.resize(crop, size_wh, interpolation=method), dtype=np.uint8)
