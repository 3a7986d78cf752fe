"""A camera that may go, or hang, and come back: it is opened again and again, and ticks meanwhile."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from threading import Event

from edge.errors import CameraError, MissingDependencyError
from edge.sources.camera import TICK_S, Camera
from edge.sources.freeze import FreezeDetector
from edge.sources.live import hangs_s
from edge.types import Frame

logger = logging.getLogger(__name__)

_FIRST_S, _LAST_S = 1.0, 30.0
# Pictures for so long make the next fault a new one, which is answered at once again.
_WELL_S = 10.0
_STALE_S = 5.0
# A read that hangs for so long will not come back, and holds the device: only a new process can open it.
_HOPELESS_S = 60.0


class ReconnectingCamera:
    """Wraps what opens a camera; gives up only where a new process would do better.

    Attributes:
        name: of the camera that is open, or was.
        yields_stills: whether its pictures have nothing to do with one another.
        is_down: whether it is being waited for.
    """

    def __init__(
        self,
        name: str,
        open_camera: Callable[[], Camera],
        frozen_s: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Opens nothing yet.

        Args:
            name: what a person calls it until it is open.
            open_camera: opens it; raises CameraError where that fails.
            frozen_s: seconds of one and the same picture after which it is opened anew; 0 for never.
            clock: seconds, never falling.
        """
        self.name = name
        self.yields_stills = False
        self.is_down = False
        self._open = open_camera
        self._frozen_s = frozen_s
        self._stillness = FreezeDetector(frozen_s, clock)
        self._clock = clock
        self._camera: Camera | None = None
        self._closed = Event()
        self._before_captured = self._before_dropped = 0
        self._frames = self._play()

    @property
    def captured(self) -> int:
        """Pictures delivered so far, by all that were opened."""
        return self._before_captured + (self._camera.captured if self._camera else 0)

    @property
    def dropped(self) -> int:
        """Pictures of these that were replaced by newer ones before they were read."""
        return self._before_dropped + (self._camera.dropped if self._camera else 0)

    def __enter__(self) -> ReconnectingCamera:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Frame | None]:
        """Yields frames with rising indices and times, and None where there is none, for ever.

        Raises:
            CameraError: it is closed, or a read hangs for ever.
            MissingDependencyError: what is needed to open it is not installed; waiting would not help.
        """
        while True:
            if self._closed.is_set():
                raise CameraError(f"{self.name}: closed; a closed camera cannot be read")
            yield next(self._frames)

    def close(self) -> None:
        """Releases the camera; may be called again."""
        self._closed.set()
        self._let_go()

    def _play(self) -> Iterator[Frame | None]:
        began_s = self._clock()
        delay_s, said = _FIRST_S, ""
        while True:
            first_index, opened_s, first_s = self.captured, self._clock(), None
            try:
                self._camera = self._open()
                self.name, self.yields_stills = self._camera.name, self._camera.yields_stills
                for frame in self._camera:
                    if frame is None:
                        yield None
                        continue
                    if self._stillness.is_frozen(frame.gray):
                        # The first picture after opening may be an old one.
                        if first_s is None and self._clock() - opened_s < _STALE_S:
                            yield None
                            continue
                        raise CameraError(f"{self.name}: the same picture for {self._frozen_s:g} s; stuck?")
                    if first_s is None:
                        first_s = self._clock()
                        if said:
                            logger.info("%s: delivers again", self.name)
                        self.is_down, said = False, ""
                    yield Frame(first_index + frame.index, first_s - began_s + frame.captured_at, frame.gray)
                raise CameraError(f"{self.name}: ended")
            except MissingDependencyError:
                raise
            except CameraError as error:
                # The same fault is not told every half minute for months.
                if hangs_s() > _HOPELESS_S:
                    raise CameraError(
                        f"{error}; a read has hung for {_HOPELESS_S:g} s: only a new process can open it"
                    ) from error
                if str(error) != said:
                    logger.warning("%s; it is tried again", error)
                    said = str(error)
            self._let_go()
            self.is_down = True
            well = first_s is not None and self._clock() - opened_s > _WELL_S
            delay_s = _FIRST_S if well else min(2 * delay_s, _LAST_S)
            yield from self._wait(delay_s)

    def _wait(self, seconds: float) -> Iterator[None]:
        until_s = self._clock() + seconds
        while self._clock() < until_s:
            self._closed.wait(TICK_S)
            yield None

    def _let_go(self) -> None:
        camera, self._camera = self._camera, None
        if camera is not None:
            self._before_captured += camera.captured
            self._before_dropped += camera.dropped
            camera.close()
