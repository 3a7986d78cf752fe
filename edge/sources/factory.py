"""From the text of `--source` to the camera it names."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable, Generator, Iterable, Iterator
from functools import partial
from pathlib import Path

import cv2

from edge.errors import CameraError, ConfigError, MissingDependencyError
from edge.sources.camera import Camera, CaptureSettings
from edge.sources.demo import open_demo
from edge.sources.files import open_files
from edge.sources.opencv import csi_opener, gst_opener, redact, stream_opener
from edge.sources.picamera import open_picamera, picamera_opener
from edge.sources.v4l2 import open_v4l2
from edge.sources.v4l2_devices import cameras
from edge.system.platform import detect_platform
from edge.types import Frame

logger = logging.getLogger(__name__)

Opener = Callable[[], Camera]


def open_source(source: str, settings: CaptureSettings, *, fast: bool, demo: bool = True) -> Camera:
    """Opens what `--source` names.

    What blocks is put off to the iteration, so this returns at once; it looks only at what can be seen
    without opening: names, files, device nodes, OpenCV's build.

    Args:
        source: `auto`, `demo`, a number or /dev/video0 (V4L2), `picamera2://0`, `csi://0` (Jetson),
            `gst://PIPELINE`, an rtsp, rtsps, http or https address, a video file, a picture, or a folder.
        settings: how pictures are wanted.
        fast: recordings and the demo as fast as they are taken instead of as recorded.
        demo: whether `auto` plays the demo where no camera answers. Who waits for a camera wants no faces of
            nobody reported.

    Raises:
        CameraError: what is named does not exist or cannot be read.
        ConfigError: the text names no kind of source.
        MissingDependencyError: a package that this kind needs is not installed.
    """
    return source_opener(source, settings, fast=fast, demo=demo)()


def source_opener(source: str, settings: CaptureSettings, *, fast: bool, demo: bool = True) -> Opener:
    """What opens what `--source` names; nothing is opened yet, and no device is looked at.

    Args:
        source: as `open_source` takes it.
        settings: how pictures are wanted.
        fast: as for `open_source`.
        demo: as for `open_source`.

    Raises:
        ConfigError: the text names no kind of source.
        MissingDependencyError: what this kind needs is not installed, or OpenCV is built without it.
    """
    if source == "auto":
        fallback = (lambda: open_demo(settings, fast=fast)) if demo else None
        return lambda: AutoCamera(_candidates(settings), fallback)
    if source == "demo":
        return lambda: open_demo(settings, fast=fast)
    if (node := _node(source)) is not None:
        return partial(open_v4l2, node, settings)
    scheme, separator, rest = source.partition("://")
    if separator:
        return _scheme_opener(scheme.lower(), rest, settings)
    if not source:
        raise ConfigError("source: empty; expected for example auto, demo, 0 or a file")
    return partial(open_files, Path(source), settings, fast=fast)


def check_source(source: str, settings: CaptureSettings, *, reconnect: bool) -> None:
    """Refuses what a run could not open, as far as that is seen without opening a device.

    Args:
        source: as `open_source` takes it.
        settings: how pictures are wanted.
        reconnect: whether what is absent would be waited for.

    Raises:
        CameraError, ConfigError, MissingDependencyError: as for `open_source`.
    """
    source_opener(source, settings, fast=True)
    if reconnect or source in ("auto", "demo") or "://" in source:
        return
    node = _node(source)
    if node is None:
        open_files(Path(source), settings, fast=True).close()
    elif not Path(node).exists():
        raise CameraError(f"{node}: no such device; `emotiny cameras` shows what is there")


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


def _candidates(settings: CaptureSettings) -> Iterator[Opener]:
    """Openers of the cameras that may be there, the best first."""
    if importlib.util.find_spec("picamera2"):
        yield lambda: open_picamera(0, settings)
    if detect_platform().jetson and cv2.videoio_registry.hasBackend(cv2.CAP_GSTREAMER):
        yield csi_opener(0, settings)
    for node in cameras():
        yield partial(open_v4l2, node, settings)


def _node(source: str) -> str | None:
    """The V4L2 device that is named; None where it is something else."""
    if source.isdecimal():
        return f"/dev/video{int(source)}"
    return source if source.startswith(("/dev/video", "/dev/v4l/")) else None


def _scheme_opener(scheme: str, rest: str, settings: CaptureSettings) -> Opener:
    if scheme == "picamera2":
        return picamera_opener(_number(scheme, rest), settings)
    if scheme == "csi":
        return csi_opener(_number(scheme, rest), settings)
    if scheme == "gst":
        return gst_opener(rest, settings)
    if scheme in ("rtsp", "rtsps", "http", "https"):
        return stream_opener(f"{scheme}://{rest}", settings)
    raise ConfigError(
        f"source {redact(f'{scheme}://{rest}')}: unknown kind; expected picamera2://, csi://, gst://, "
        "rtsp://, rtsps://, http:// or https://"
    )


def _number(scheme: str, text: str) -> int:
    if not text.isdecimal():
        raise ConfigError(f"source {scheme}://{text}: expected a camera's number, as in {scheme}://0")
    return int(text)
