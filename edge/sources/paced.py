"""Playing pictures of known times at their own pace, or as fast as they are taken."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterator

import cv2
import numpy as np

from edge.errors import CameraError
from edge.sources.camera import TICK_S, CaptureSettings, orient
from edge.types import Frame, Gray

# Seconds since the first picture, never falling, and the picture; None where a picture was skipped.
Pictures = Generator[tuple[float, Gray] | None, None, None]


class PacedCamera:
    """A camera that plays pictures of known times; it never drops one."""

    def __init__(
        self,
        name: str,
        pictures: Pictures,
        settings: CaptureSettings,
        *,
        fast: bool,
        yields_stills: bool = False,
    ) -> None:
        """Touches nothing yet: the pictures' generator opens what it needs when it is first asked.

        Args:
            name: what a person calls the recording.
            pictures: what to play; closed with the camera.
            settings: how pictures are wanted; they are scaled to the size, and cut to its proportions.
            fast: as fast as they are taken instead of as recorded.
            yields_stills: the pictures have nothing to do with one another.
        """
        self.name = name
        self.yields_stills = yields_stills
        self.is_down = False
        self._pictures = pictures
        self._settings = settings
        self._fast = fast
        self._captured = 0
        self._started_at = 0.0
        self._closed = threading.Event()
        self._frames = self._play()

    @property
    def captured(self) -> int:
        """Pictures read so far."""
        return self._captured

    @property
    def dropped(self) -> int:
        """Always 0: a recording waits."""
        return 0

    def __enter__(self) -> PacedCamera:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Frame | None]:
        """Yields every picture in order, and None while the next one is not due.

        Raises:
            CameraError: the recording cannot be read, or is closed.
        """
        while True:
            if self._closed.is_set():
                raise CameraError(f"{self.name}: closed; a closed source cannot be read")
            try:
                frame = next(self._frames)
            except StopIteration:
                return
            yield frame

    def close(self) -> None:
        """Releases what the pictures are read from."""
        self._closed.set()
        self._frames.close()
        self._pictures.close()

    def _play(self) -> Generator[Frame | None, None, None]:
        for picture in self._pictures:
            if picture is None:
                yield None
                continue
            captured_at, gray = picture
            if not self._fast:
                yield from self._wait(captured_at)
            frame = Frame(self._captured, captured_at, orient(self._scaled(gray), self._settings))
            self._captured += 1
            yield frame

    def _wait(self, captured_at: float) -> Iterator[None]:
        if self._captured == 0:
            self._started_at = time.monotonic() - captured_at
        while (remaining_s := self._started_at + captured_at - time.monotonic()) > 0:
            self._closed.wait(min(remaining_s, TICK_S))
            if remaining_s > TICK_S:
                yield None

    def _scaled(self, gray: Gray) -> Gray:
        size_wh = self._settings.size_wh
        if size_wh is None or size_wh == (gray.shape[1], gray.shape[0]):
            return gray
        # Of a picture of other proportions the middle is taken: a stretched face has another expression.
        height, width = gray.shape
        ratio = min(width / size_wh[0], height / size_wh[1])
        cut_width, cut_height = round(size_wh[0] * ratio), round(size_wh[1] * ratio)
        left, top = (width - cut_width) // 2, (height - cut_height) // 2
        cut = gray[top : top + cut_height, left : left + cut_width]
        # Area averaging keeps a shrunk picture from aliasing; it is no good for enlarging.
        method = cv2.INTER_AREA if ratio > 1 else cv2.INTER_LINEAR_EXACT
        return np.asarray(cv2.resize(cut, size_wh, interpolation=method), dtype=np.uint8)
