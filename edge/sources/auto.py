"""The source `auto`: the first camera that answers."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterable, Iterator

from edge.errors import CameraError, MissingDependencyError
from edge.sources.camera import Camera, Opener
from edge.types import Frame

logger = logging.getLogger(__name__)


class AutoCamera:
    """The first camera that delivers a picture; where none does, the demo, if that is wanted.

    Each is opened, given its time for a first picture and closed again within the iteration, so that the
    loop sees its stop flag while the cameras are tried.
    """

    def __init__(self, candidates: Iterable[Opener], open_fallback: Opener | None) -> None:
        """Opens nothing yet.

        Args:
            candidates: open the cameras that may be there, in order of preference.
            open_fallback: opens what is played where none of them answers; None raises CameraError then.
        """
        self.name = "auto"
        self.yields_stills = False
        self.is_down = False
        self._candidates = candidates
        self._open_fallback = open_fallback
        self._camera: Camera | None = None
        self._closed = False
        self._faults: list[str] = []
        self._frames = self._play()

    @property
    def captured(self) -> int:
        """Pictures the chosen camera delivered so far."""
        return self._camera.captured if self._camera else 0

    @property
    def dropped(self) -> int:
        """Pictures of these that were replaced by newer ones before they were read."""
        return self._camera.dropped if self._camera else 0

    def __enter__(self) -> AutoCamera:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Frame | None]:
        """Yields None while the cameras are tried, then the frames of the first that answers.

        Raises:
            CameraError: no camera answers, the chosen one broke, or this one is closed.
        """
        while True:
            if self._closed:
                raise CameraError(f"{self.name}: closed; a closed source cannot be read")
            try:
                frame = next(self._frames)
            except StopIteration:
                return
            yield frame

    def close(self) -> None:
        """Closes the camera that is open."""
        self._closed = True
        if self._camera is not None:
            self._camera.close()

    def _play(self) -> Iterator[Frame | None]:
        for open_candidate in self._candidates:
            camera, first = yield from self._try(open_candidate)
            if camera is not None:
                self._tell_faults()
                logger.info("auto: %s answers", camera.name)
                break
        else:
            if self._open_fallback is None:
                raise CameraError(
                    f"auto: no camera answers; {'; '.join(self._faults) or 'is one connected?'}"
                )
            self._tell_faults()
            logger.warning("no camera answers: this is the demo, drawn faces and no picture of anyone here")
            camera, first = self._open_fallback(), None
        self._camera = camera
        self.name = camera.name
        yield first
        yield from camera

    def _tell_faults(self) -> None:
        """Logs what was wrong with the cameras that did not answer; where none does, the error says so."""
        for fault in self._faults:
            logger.warning("auto: %s", fault)

    def _try(self, open_candidate: Opener) -> Generator[None, None, tuple[Camera | None, Frame | None]]:
        """Ticks until the candidate delivers; then the camera and its first frame, or neither."""
        try:
            self._camera = open_candidate()
            for frame in self._camera:
                if frame is not None:
                    return self._camera, frame
                yield None
        except (CameraError, MissingDependencyError) as error:
            self._faults.append(str(error))
        if self._camera is not None:
            self._camera.close()
        return None, None
