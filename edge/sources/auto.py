"""The source `auto`: the first camera that delivers a frame."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterable, Iterator

from edge.errors import CameraError, MissingDependencyError
from edge.sources.camera import BaseCamera, Camera, Opener
from edge.types import Frame

logger = logging.getLogger(__name__)


class AutoCamera(BaseCamera):
    """Plays the first camera that delivers a frame, or a fallback if none does.

    The candidates are opened, given their time for a first frame, and closed again within the iteration, so
    that the loop sees its stop flag meanwhile.
    """

    def __init__(self, candidates: Iterable[Opener], open_fallback: Opener | None) -> None:
        """Opens nothing yet.

        Args:
            candidates: Open the cameras that may be there, in order of preference.
            open_fallback: Opens what is played if no camera delivers; None to raise CameraError instead.
        """
        super().__init__("auto")
        self._candidates = candidates
        self._open_fallback = open_fallback
        self._faults: list[str] = []
        self._hung: list[BaseCamera] = []
        self._frames = self._play()

    @property
    def is_hung(self) -> bool:
        """Whether a read of the chosen camera hangs; before one is chosen, of any candidate."""
        return any(camera.is_hung for camera in self._hung)

    def close(self) -> None:
        """Closes the camera that is open."""
        self._closed.set()
        if self._inner is not None:
            self._close(self._inner)

    def _next(self) -> Frame | None:
        return next(self._frames)

    def _play(self) -> Iterator[Frame | None]:
        first = None
        for open_candidate in self._candidates:
            first = yield from self._try(open_candidate)
            if first is not None and self._inner is not None:
                self._log_faults()
                logger.info("auto: %s answers", self._inner.name)
                # Only the chosen camera counts from now on.
                self._hung.clear()
                break
        else:
            if self._open_fallback is None:
                why = "; ".join(self._faults) or "is one connected? `emotiny cameras` says where to look"
                raise CameraError(f"auto: no camera answers; {why}")
            self._log_faults()
            logger.warning("no camera answers: playing the demo, which draws faces and shows nobody here")
            self._inner = self._open_fallback()
        self.name = self._inner.name
        yield first
        yield from self._inner

    def _log_faults(self) -> None:
        """Logs why candidates did not answer. If none answers, the error names the reasons instead."""
        for fault in self._faults:
            logger.warning("auto: %s", fault)

    def _try(self, open_candidate: Opener) -> Generator[None, None, Frame | None]:
        """Ticks until the candidate delivers; returns its first frame, or None if it fails."""
        camera = None
        try:
            self._inner = camera = open_candidate()
            for frame in camera:
                if frame is not None:
                    return frame
                yield None
        except (CameraError, MissingDependencyError) as error:
            self._faults.append(str(error))
        self._inner = None
        if camera is not None:
            self._close(camera)
        return None

    def _close(self, camera: Camera) -> None:
        if not isinstance(camera, BaseCamera):
            camera.close()
            return
        camera.warns_of_hang = self.warns_of_hang
        camera.close()
        if camera.is_hung:
            self._hung.append(camera)
