"""Opens the source that the text of `--source` names."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import cv2

from edge.errors import CameraError, ConfigError
from edge.files import is_utf8
from edge.sources.auto import AutoCamera
from edge.sources.camera import Camera, Opener
from edge.sources.demo import open_demo
from edge.sources.files import open_files
from edge.sources.gstreamer import csi_opener, gst_opener
from edge.sources.opencv import stream_opener
from edge.sources.picamera import open_picamera, picamera_opener
from edge.sources.settings import CaptureSettings
from edge.sources.uri import camera_number, redact, v4l2_path
from edge.sources.v4l2 import open_v4l2
from edge.sources.v4l2_devices import query_all
from edge.system.platform import detect_platform


def open_source(
    source: str, settings: CaptureSettings | None = None, *, fast: bool = False, demo: bool = True
) -> Camera:
    """Opens the source that a text names.

    Returns at once, because anything that blocks happens in the iteration; only names, files, device nodes
    and the build of OpenCV are checked here.

    Args:
        source: `auto`, `demo`, a number or /dev/video0 (V4L2), `picamera2://0`, `csi://0` (Jetson),
            `gst://PIPELINE`, an rtsp, rtsps, http or https address, a video file, an image, or a folder.
        settings: The form in which frames are wanted; None for the defaults.
        fast: Whether recordings and the demo play as fast as frames are taken instead of as recorded.
        demo: Whether `auto` plays the demo if no camera answers. Not for a caller that waits for a camera:
            the faces of the demo would be reported as if somebody were there.

    Raises:
        CameraError: The source does not exist or cannot be read.
        ConfigError: The text names no kind of source.
        MissingDependencyError: A package that this kind of source needs is not installed.
    """
    return source_opener(source, settings or CaptureSettings(), fast=fast, demo=demo)()


def source_opener(source: str, settings: CaptureSettings, *, fast: bool, demo: bool = True) -> Opener:
    """Returns an opener of the source that a text names, without looking at any device.

    Args:
        source: As for `open_source`.
        settings: The form in which frames are wanted.
        fast: As for `open_source`.
        demo: As for `open_source`.

    Raises:
        ConfigError: The text names no kind of source.
        MissingDependencyError: A package is not installed, or OpenCV lacks support for this kind of source.
    """
    if source == "auto":
        fallback = (lambda: open_demo(settings, fast=fast)) if demo else None
        return lambda: AutoCamera(_candidates(settings), fallback)
    if source == "demo":
        return lambda: open_demo(settings, fast=fast)
    device = v4l2_path(source)
    scheme, separator, rest = source.partition("://")
    # OpenCV opens these by their names.
    if (device is not None or separator) and not is_utf8(source):
        raise ConfigError(f"source {redact(source)}: expected UTF-8")
    if device is not None:
        return partial(open_v4l2, device, settings)
    if separator:
        return _scheme_opener(scheme.lower(), rest, settings)
    if not source:
        raise ConfigError("source: empty; expected for example auto, demo, 0 or a file")
    return partial(open_files, Path(source), settings, fast=fast)


def check_source(source: str, settings: CaptureSettings, *, reconnect: bool) -> None:
    """Checks that a run could open a source, as far as that is possible without opening a device.

    Args:
        source: As for `open_source`.
        settings: The form in which frames are wanted.
        reconnect: Whether the run would wait for an absent source.

    Raises:
        CameraError: The source does not exist or cannot be read.
        ConfigError: The text names no kind of source.
        MissingDependencyError: A package that this kind of source needs is not installed.
    """
    source_opener(source, settings, fast=True)
    if reconnect or source in ("auto", "demo") or "://" in source:
        return
    device = v4l2_path(source)
    if device is None:
        open_files(Path(source), settings, fast=True).close()
    elif not Path(device).exists():
        raise CameraError(f"{device}: no such device; `emotiny cameras` shows what is there")


def _candidates(settings: CaptureSettings) -> Iterator[Opener]:
    """Yields openers of the cameras that may be there, the preferred ones first."""
    if importlib.util.find_spec("picamera2"):
        yield lambda: open_picamera(0, settings)
    if detect_platform().jetson and cv2.videoio_registry.hasBackend(cv2.CAP_GSTREAMER):
        yield csi_opener(0, settings)
    devices, errors = query_all()
    # They are tried like cameras, so that AutoCamera reports them like other faults.
    for error in errors.values():
        yield partial(_refuse, error)
    for device in devices:
        if not device.unusable_reason:
            yield partial(open_v4l2, device.path, settings)


def _refuse(error: CameraError) -> Camera:
    raise error


def _scheme_opener(scheme: str, rest: str, settings: CaptureSettings) -> Opener:
    if scheme == "picamera2":
        return picamera_opener(camera_number(scheme, rest), settings)
    if scheme == "csi":
        return csi_opener(camera_number(scheme, rest), settings)
    if scheme == "gst":
        return gst_opener(rest, settings)
    if scheme in ("rtsp", "rtsps", "http", "https"):
        return stream_opener(f"{scheme}://{rest}", settings)
    raise ConfigError(
        f"source {redact(f'{scheme}://{rest}')}: unknown kind; expected picamera2://, csi://, gst://, "
        "rtsp://, rtsps://, http:// or https://"
    )
