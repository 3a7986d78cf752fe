"""Cameras that deliver at their own pace: the newest frame is read, older ones are dropped and counted."""

from __future__ import annotations

import atexit
import contextlib
import logging
import threading
import time
import weakref
from collections.abc import Callable
from typing import Protocol

from edge.errors import CameraError, EdgeError
from edge.sources.camera import TICK_S, BaseCamera, orient
from edge.sources.settings import CaptureSettings
from edge.types import Frame, Gray

logger = logging.getLogger(__name__)

# Reads of an unplugged camera fail at once, for ever: without a pause the reader would take a whole core.
_RETRY_S = 0.05
# This many failures in a row, each at once, mean more than a frame that was damaged on the cable. Reads of a
# slow or stalled camera fail later, each after its driver has waited.
_MAX_FAILURES = 20
_AT_ONCE_S = 0.1
# How long close() waits for a read in progress.
_JOIN_S = 0.5
# The iteration looks for a frame every tick, unless the loop rests, or the whole process was stopped.
_PAUSE_S = 1.0
# How long the process waits at its exit for reads that outlasted close().
_EXIT_JOIN_S = 1.0

# Readers that outlasted close(), only for the end of the process.
_abandoned: weakref.WeakSet[threading.Thread] = weakref.WeakSet()


class Grabber(Protocol):
    """A device or stream with blocking reads. The same thread opens, reads and closes it."""

    def grab(self) -> Gray | None:
        """Returns the next frame, (H, W) uint8, which the grabber does not reuse; None if the read failed.

        Raises:
            CameraError: No further frame will come.
        """

    def close(self) -> None:
        """Releases the device. Called once, while no read is in progress."""


class LiveCamera(BaseCamera):
    """Delivers the newest frame of a grabber.

    A thread of its own reads, because a read cannot be bounded from outside: a stalled V4L2 camera blocks it
    for 10 s at a time (measured), yet the loop must check its stop flag every tick. The same thread opens and
    closes the grabber, which may block as long; its errors are raised by the iteration.

    Attributes:
        hint: What to check if no first frame comes, for the error message.
        lost_hint: What may be wrong if every further read fails.
    """

    hint = "is it connected, and is no other program using it?"
    lost_hint = "unplugged?"

    def __init__(
        self,
        name: str,
        open_grabber: Callable[[], Grabber],
        settings: CaptureSettings,
        *,
        first_s: float = 5.0,
        silence_s: float = 10.0,
    ) -> None:
        """Starts to open the grabber, and returns at once.

        Args:
            name: The name of the camera in messages; must hold no password.
            open_grabber: Opens the device. May block, and raises `EdgeError`.
            settings: The form in which frames are wanted.
            first_s: Seconds from now within which the first frame must come.
            silence_s: Seconds without a frame after which the iteration raises an error.
        """
        super().__init__(name)
        self._open_grabber = open_grabber
        self._settings = settings
        self._first_s = first_s
        self._silence_s = silence_s
        self._changed = threading.Condition()  # guards the counters and all attributes below
        self._newest: tuple[int, float, Gray] | None = None
        self._fault: EdgeError | None = None
        self._first_at = self._last_at = self._looked_at = time.monotonic()
        self._thread = threading.Thread(target=self._read, name=f"reader of {name}", daemon=True)
        self._thread.start()

    @property
    def is_hung(self) -> bool:
        """Whether a read that outlasted `close` is still in progress, and may keep the device busy."""
        return self._closed.is_set() and self._thread.is_alive()

    def close(self) -> None:
        """Stops the reader. One that hangs in a read is abandoned, and ends with its read or the process."""
        with self._changed:
            self._closed.set()
            self._changed.notify_all()
        self._thread.join(_JOIN_S)
        if self._thread.is_alive() and self._thread not in _abandoned:
            level = logging.WARNING if self.warns_of_hang else logging.DEBUG
            logger.log(level, "%s: a read is still in progress; it is abandoned", self.name)
            _abandoned.add(self._thread)

    def _next(self) -> Frame | None:
        with self._changed:
            self._changed.wait_for(lambda: self._newest or self._fault or self._closed.is_set(), TICK_S)
            self._check_open()
            self._discount_pause()
            newest, self._newest = self._newest, None
            if newest is None:
                self._check_silence()
                return None
        index, captured_at, gray = newest
        return Frame(index, captured_at, orient(gray, self._settings))

    def _discount_pause(self) -> None:
        """Keeps time without a look at the camera from counting as its silence.

        After SIGCONT, the reader may not have had a chance to read what the camera sent meanwhile.
        """
        now = time.monotonic()
        pause_s = now - self._looked_at
        self._looked_at = now
        if pause_s > _PAUSE_S:
            self._last_at = min(now, self._last_at + pause_s)

    def _check_silence(self) -> None:
        if self._fault is not None:
            raise self._fault
        if not self._thread.is_alive():
            raise CameraError(f"{self.name}: its reader died; the traceback above says why")
        silent_s = time.monotonic() - self._last_at
        if self._captured == 0 and silent_s > self._first_s:
            raise CameraError(
                f"{self.name}: no picture within {self._first_s:g} s of opening; {self.hint} "
                "`--source demo` works without a camera"
            )
        if silent_s > self._silence_s:
            raise CameraError(
                f"{self.name}: no picture for {self._silence_s:g} s after {self._captured} pictures; "
                "unplugged, or its stream ended?"
            )

    def _read(self) -> None:
        try:
            with contextlib.closing(self._open_grabber()) as grabber:
                failures = 0
                while not self._closed.is_set():
                    begun_s = time.monotonic()
                    gray = grabber.grab()
                    if gray is not None:
                        failures = 0
                        self._publish(gray)
                        continue
                    failures = failures + 1 if time.monotonic() - begun_s < _AT_ONCE_S else 0
                    if failures == _MAX_FAILURES and self._captured:
                        raise CameraError(f"{self.name}: every read fails at once; {self.lost_hint}")
                    self._closed.wait(_RETRY_S)
        except EdgeError as error:
            with self._changed:
                self._fault = error
                self._changed.notify_all()

    def _publish(self, gray: Gray) -> None:
        now = time.monotonic()
        with self._changed:
            if self._captured == 0:
                self._first_at = now
                self._log_size(gray)
            if self._newest is not None:
                self._dropped += 1
            self._newest = (self._captured, now - self._first_at, gray)
            self._captured += 1
            self._last_at = now
            self._changed.notify_all()

    def _log_size(self, gray: Gray) -> None:
        actual_wh = (gray.shape[1], gray.shape[0])
        wanted_wh = self._settings.size_wh or actual_wh
        if wanted_wh == actual_wh:
            logger.info("%s: pictures of %dx%d", self.name, *actual_wh)
        else:
            logger.info("%s: asked for %dx%d, it delivers %dx%d", self.name, *wanted_wh, *actual_wh)


def has_hung_read() -> bool:
    """Returns whether a read of any camera of this process outlasted `close` and is still in progress."""
    return any(thread.is_alive() for thread in list(_abandoned))


@atexit.register
def _join_abandoned() -> None:
    """Waits a moment: a read that returns from C++ while the interpreter shuts down aborts the process."""
    until_s = time.monotonic() + _EXIT_JOIN_S
    for thread in list(_abandoned):
        thread.join(max(0.0, until_s - time.monotonic()))
