"""From the text of `--source` to the camera it names."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import cv2

from edge.errors import CameraError, ConfigError
from edge.sources.auto import AutoCamera
from edge.sources.camera import Camera, CaptureSettings, Opener
from edge.sources.demo import open_demo
from edge.sources.files import open_files
from edge.sources.gstreamer import csi_opener, gst_opener
from edge.sources.opencv import stream_opener
from edge.sources.picamera import open_picamera, picamera_opener
from edge.sources.uri import camera_number, redact, v4l2_path
from edge.sources.v4l2 import open_v4l2
from edge.sources.v4l2_devices import query_all
from edge.system.platform import detect_platform


def open_source(
    source: str, settings: CaptureSettings | None = None, *, fast: bool = False, demo: bool = True
) -> Camera:
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
    return source_opener(source, settings or CaptureSettings(), fast=fast, demo=demo)()


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
    if (node := v4l2_path(source)) is not None:
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
    node = v4l2_path(source)
    if node is None:
        open_files(Path(source), settings, fast=True).close()
    elif not Path(node).exists():
        raise CameraError(f"{node}: no such device; `emotiny cameras` shows what is there")


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
