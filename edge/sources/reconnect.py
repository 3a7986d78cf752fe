"""A camera that may disappear or hang: it is reopened again and again, and the loop ticks meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from edge.errors import CameraError, MissingDependencyError
from edge.sources.camera import TICK_S, BaseCamera, Opener
from edge.sources.fault_log import FaultLog
from edge.sources.freeze import FreezeDetector
from edge.types import Frame

_FIRST_DELAY_S, _MAX_DELAY_S = 1.0, 30.0
# After frames for this long, the next fault is a new one, and the delays start again from the first.
_RECOVERED_S = 10.0
# A frozen frame within this time after opening may be an old one from the driver's buffer.
_STALE_S = 5.0
# A read that hangs for this long will not return, and keeps the device: only a new process can open it.
_HOPELESS_S = 60.0


class ReconnectingCamera(BaseCamera):
    """Reopens a camera after every fault, and gives up only if a new process would do better.

    Attributes:
        name: The name of the camera that is open or was open last.
        yields_stills: See `Camera`; of the camera that is open or was open last.
        is_down: Whether it is waiting for the camera.
    """

    def __init__(
        self,
        name: str,
        open_camera: Opener,
        frozen_s: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Opens nothing yet.

        Args:
            name: The name in messages until the camera is open.
            open_camera: Opens the camera; raises CameraError if that fails.
            frozen_s: Seconds of identical frames after which the camera is reopened; 0 for never.
            clock: Returns monotonic seconds.
        """
        super().__init__(name)
        self._open = open_camera
        self._frozen_s = frozen_s
        self._freeze_detector = FreezeDetector(frozen_s, clock)
        self._clock = clock
        # Cameras that were closed during a read since the last frame, and when that was.
        self._hung: list[tuple[BaseCamera, float]] = []
        self._hang_logged = False
        self._frames = self._play()

    @property
    def is_hung(self) -> bool:
        """Whether a read of a camera that was closed since the last frame is still in progress."""
        return any(camera.is_hung for camera, _ in self._hung)

    def close(self) -> None:
        """Releases the camera. May be called again."""
        self._closed.set()
        self._close_inner()

    def _next(self) -> Frame | None:
        """Returns frames with increasing indices and times, for ever.

        Raises:
            CameraError: A read hangs and will not return.
            MissingDependencyError: A package that is needed to open the camera is not installed, so that
                waiting would not help.
        """
        return next(self._frames)

    def _play(self) -> Iterator[Frame | None]:
        started_s = self._clock()
        delay_s, log = _FIRST_DELAY_S, FaultLog(self._clock)
        while True:
            first_index, opened_s, first_frame_s = self.captured, self._clock(), None
            try:
                self._inner = camera = self._open()
                self.name, self.yields_stills = camera.name, camera.yields_stills
                if isinstance(camera, BaseCamera):
                    camera.warns_of_hang = not self._hang_logged
                for frame in camera:
                    if frame is None:
                        yield None
                        continue
                    if self._freeze_detector.is_frozen(frame.gray):
                        if first_frame_s is None and self._clock() - opened_s < _STALE_S:
                            yield None
                            continue
                        raise CameraError(f"{self.name}: the same picture for {self._frozen_s:g} s; stuck?")
                    if first_frame_s is None:
                        first_frame_s = self._clock()
                        self.is_down = False
                        # The camera could be opened in spite of these reads.
                        self._hung.clear()
                        self._hang_logged = False
                    log.delivers(self.name)
                    captured_at = first_frame_s - started_s + frame.captured_at
                    yield Frame(first_index + frame.index, captured_at, frame.gray)
                raise CameraError(f"{self.name}: ended")
            except MissingDependencyError:
                raise
            except CameraError as error:
                self._raise_if_hopeless(error)
                log.lost(str(error))
            self._close_inner()
            self.is_down = True
            recovered = first_frame_s is not None and self._clock() - opened_s > _RECOVERED_S
            delay_s = _FIRST_DELAY_S if recovered else min(2 * delay_s, _MAX_DELAY_S)
            yield from self._wait(delay_s)

    def _wait(self, seconds: float) -> Iterator[None]:
        until_s = self._clock() + seconds
        while self._clock() < until_s:
            self._closed.wait(TICK_S)
            yield None

    def _raise_if_hopeless(self, error: CameraError) -> None:
        self._hung = [(camera, since_s) for camera, since_s in self._hung if camera.is_hung]
        if any(self._clock() - since_s > _HOPELESS_S for _, since_s in self._hung):
            raise CameraError(
                f"{error}; a read has hung for {_HOPELESS_S:g} s: only a new process can open it"
            ) from error

    def _close_inner(self) -> None:
        camera, self._inner = self._inner, None
        if camera is None:
            return
        self._captured += camera.captured
        self._dropped += camera.dropped
        if isinstance(camera, BaseCamera):
            camera.warns_of_hang = not self._hang_logged
        camera.close()
        if isinstance(camera, BaseCamera) and camera.is_hung:
            self._hung.append((camera, self._clock()))
            self._hang_logged = True
