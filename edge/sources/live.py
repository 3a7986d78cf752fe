"""Cameras that deliver at their own pace: the newest picture counts, older ones are dropped and counted."""

from __future__ import annotations

import atexit
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Protocol

from edge.errors import CameraError, EdgeError
from edge.sources.camera import TICK_S, CaptureSettings, orient
from edge.types import Frame, Gray

logger = logging.getLogger(__name__)

# An unplugged camera fails at once, for ever: without a pause its reader would take a whole core.
_RETRY_S = 0.05
# So many failures in a row, each at once, are no single picture that was damaged on the cable. A camera that
# is slow or stalled fails by and by, each time after its driver has waited.
_FAILURES = 20
_AT_ONCE_S = 0.1
# How long close() waits for a read that is under way.
_JOIN_S = 0.5
# How long the process waits at its exit for reads that outlasted close().
_EXIT_JOIN_S = 1.0

# Reads that outlasted close(), and when that was, for `hangs_s`.
_abandoned: dict[threading.Thread, float] = {}
# Cameras of which that was told; one that delivers again is told of again.
_told: set[str] = set()


class Grabber(Protocol):
    """A device or stream that is read by blocking. One thread opens, reads and closes it."""

    def grab(self) -> Gray | None:
        """The next picture, (H, W) uint8, not touched again by the grabber; None where the read failed.

        Raises:
            CameraError: there will be no further picture.
        """

    def close(self) -> None:
        """Releases the device; called once, when no read is under way."""


class LiveCamera:
    """The newest picture of a grabber.

    A thread of its own reads, because a read cannot be bounded from outside: a stalled V4L2 camera blocks
    it for 10 s at a time (measured), yet the loop has to see its stop flag within a tick. The same thread
    opens and closes, which may block just as long; what goes wrong there is raised by the iteration.

    Attributes:
        hint: what to look at where no first picture comes.
    """

    hint = "is it connected, and is no other program using it?"

    def __init__(
        self,
        name: str,
        open_grabber: Callable[[], Grabber],
        settings: CaptureSettings,
        *,
        first_s: float = 5.0,
        silence_s: float = 10.0,
    ) -> None:
        """Starts to open the grabber and returns at once.

        Args:
            name: what a person calls the camera; holds no password.
            open_grabber: opens the device, may block, raises `EdgeError`.
            settings: how pictures are wanted.
            first_s: seconds from now within which the first picture must come.
            silence_s: seconds without a picture after which the camera is given up.
        """
        self.name = name
        self.yields_stills = False
        self.is_down = False
        self._open_grabber = open_grabber
        self._settings = settings
        self._first_s = first_s
        self._silence_s = silence_s
        self._changed = threading.Condition()  # guards all below
        self._newest: tuple[int, float, Gray] | None = None
        self._fault: EdgeError | None = None
        self._captured = 0
        self._dropped = 0
        self._started_at = self._heard_at = time.monotonic()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._read, name=f"reader of {name}", daemon=True)
        self._thread.start()

    @property
    def captured(self) -> int:
        """Pictures the camera delivered so far."""
        return self._captured

    @property
    def dropped(self) -> int:
        """Pictures of these that were replaced by newer ones before they were read."""
        return self._dropped

    def __enter__(self) -> LiveCamera:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Frame | None]:
        """Yields the newest picture, or None after a tick without one.

        Raises:
            CameraError: the camera cannot be opened, stays silent, broke or is closed.
            MissingDependencyError: what is needed to open it is not installed.
        """
        while True:
            yield self._next()

    def close(self) -> None:
        """Stops the reader; one that hangs in a read is left behind, and ends with it or with the process."""
        with self._changed:
            self._closed.set()
            self._changed.notify_all()
        self._thread.join(_JOIN_S)
        if self._thread.is_alive():
            # One that stays stalled is opened and closed twice a minute, for months.
            level = logging.DEBUG if self.name in _told else logging.WARNING
            logger.log(level, "%s: a read is still under way; it is abandoned", self.name)
            _told.add(self.name)
            _forget_ended()
            _abandoned[self._thread] = time.monotonic()

    def _next(self) -> Frame | None:
        with self._changed:
            self._changed.wait_for(lambda: self._newest or self._fault or self._closed.is_set(), TICK_S)
            if self._closed.is_set():
                raise CameraError(f"{self.name}: closed; a closed camera cannot be read")
            newest, self._newest = self._newest, None
            if newest is None:
                self._refuse_silence()
                return None
        index, captured_at, gray = newest
        return Frame(index, captured_at, orient(gray, self._settings))

    def _refuse_silence(self) -> None:
        if self._fault is not None:
            raise self._fault
        if not self._thread.is_alive():
            raise CameraError(f"{self.name}: its reader died; the traceback above says why")
        silent_s = time.monotonic() - self._heard_at
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
                    if failures == _FAILURES and self._captured:
                        raise CameraError(f"{self.name}: every read fails at once; unplugged?")
                    self._closed.wait(_RETRY_S)
        except EdgeError as error:
            with self._changed:
                self._fault = error
                self._changed.notify_all()

    def _publish(self, gray: Gray) -> None:
        now = time.monotonic()
        with self._changed:
            if self._captured == 0:
                _told.discard(self.name)
                self._started_at = now
                self._log_size(gray)
            if self._newest is not None:
                self._dropped += 1
            self._newest = (self._captured, now - self._started_at, gray)
            self._captured += 1
            self._heard_at = now
            self._changed.notify_all()

    def _log_size(self, gray: Gray) -> None:
        came_wh = (gray.shape[1], gray.shape[0])
        asked_wh = self._settings.size_wh or came_wh
        if asked_wh == came_wh:
            logger.info("%s: pictures of %dx%d", self.name, *came_wh)
        else:
            logger.info("%s: asked for %dx%d, it gives %dx%d", self.name, *asked_wh, *came_wh)


def hangs_s() -> float:
    """Seconds since the first of the reads was abandoned that hang in this process; 0 where none does."""
    _forget_ended()
    return time.monotonic() - min(_abandoned.values()) if _abandoned else 0.0


def _forget_ended() -> None:
    for thread in [thread for thread in _abandoned if not thread.is_alive()]:
        del _abandoned[thread]


@atexit.register
def _join_abandoned() -> None:
    """Waits a moment: a read that comes back from C++ while the interpreter shuts down aborts the process."""
    until_s = time.monotonic() + _EXIT_JOIN_S
    for thread in _abandoned:
        thread.join(max(0.0, until_s - time.monotonic()))
