"""What OpenCV reads through GStreamer and FFmpeg: a Jetson's camera, pipelines, network streams."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from edge.errors import CameraError, ConfigError, MissingDependencyError
from edge.sources.camera import CaptureSettings
from edge.sources.live import LiveCamera
from edge.system import remedies
from edge.types import Gray

DEFAULT_WH = (640, 480)
# FFmpeg's own limits, below those of LiveCamera: its errors come sooner and say more than mere silence.
_STREAM_TIMEOUT_MS = 5000
# A stream waits for its next key frame, a pipeline for its elements.
_SLOW_FIRST_S = 10.0

_APPSINK = "appsink drop=true max-buffers=1 sync=false"


Pixels: TypeAlias = npt.NDArray[np.integer[Any] | np.floating[Any]]


class CaptureGrabber:
    """A `Grabber` over `cv2.VideoCapture`."""

    def __init__(self, capture: cv2.VideoCapture, refusal: str) -> None:
        """Takes a capture over.

        Args:
            capture: opened, or tried to.
            refusal: what to say where it is not open.

        Raises:
            CameraError: it is not open.
        """
        if not capture.isOpened():
            raise CameraError(refusal)
        self._capture = capture

    def grab(self) -> Gray | None:
        """The next picture, (H, W) uint8; None where the read failed."""
        came, picture = self._capture.read()
        return gray_of(picture) if came else None

    def close(self) -> None:
        """Releases the device."""
        self._capture.release()


class PipelineCamera(LiveCamera):
    """A GStreamer pipeline.

    OpenCV leaves an element out that is not installed, and waits for ever for what that should give.
    """

    hint = "try it with gst-launch-1.0, which names an element that is missing;"


def gray_of(picture: Pixels) -> Gray:
    """The gray picture, (H, W) uint8, in (H, W, 3) uint8 BGR or in one that is gray already."""
    if picture.ndim == 3:
        picture = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    return np.asarray(picture, dtype=np.uint8)


def silence_opencv_logs() -> None:
    """Keeps OpenCV and FFmpeg from writing to stderr, where no variable of theirs asks for it.

    Their lines say less than our errors, and FFmpeg's hold addresses with passwords.
    """
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    if "OPENCV_LOG_LEVEL" not in os.environ:
        # OpenCV 4.11 has it in the one place, 4.14 in the other.
        set_log_level = getattr(cv2, "setLogLevel", None) or cv2.utils.logging.setLogLevel  # type: ignore[attr-defined]
        set_log_level(0)


def csi_opener(number: int, settings: CaptureSettings) -> Callable[[], LiveCamera]:
    """What opens a CSI camera of a Jetson, through its image processor.

    The sensors' fast modes are 16:9, so the picture is as wide as asked and of that shape: nothing is
    squeezed. 640x360 where no size is asked.

    Raises:
        MissingDependencyError: OpenCV is built without GStreamer.
    """
    width = (settings.size_wh or DEFAULT_WH)[0]
    height = round(width * 9 / 32) * 2
    sensor_wh = (1280, 720) if width <= 1280 else (1920, 1080)
    pipeline = (
        f"nvarguscamerasrc sensor-id={number} ! "
        f"video/x-raw(memory:NVMM),width={sensor_wh[0]},height={sensor_wh[1]},format=NV12,framerate=30/1 ! "
        f"nvvidconv ! video/x-raw,width={width},height={height},format=GRAY8 ! {_APPSINK}"
    )
    return _pipeline_opener(f"csi://{number}", pipeline, settings)


def gst_opener(pipeline: str, settings: CaptureSettings) -> Callable[[], LiveCamera]:
    """What opens a GStreamer pipeline.

    Where it has no appsink, one for gray pictures of the wanted size is added; one of its own must be given
    GRAY8 or BGR.

    Raises:
        ConfigError: the pipeline is empty.
        MissingDependencyError: OpenCV is built without GStreamer.
    """
    if not pipeline.strip():
        raise ConfigError("gst://: no pipeline; expected for example gst://videotestsrc")
    name = redact(f"gst://{pipeline}")
    if "appsink" not in pipeline:
        size = "" if settings.size_wh is None else ",width={},height={}".format(*settings.size_wh)
        pipeline = f"{pipeline} ! videoconvert ! videoscale ! video/x-raw,format=GRAY8{size} ! {_APPSINK}"
    return _pipeline_opener(name, pipeline, settings)


def stream_opener(url: str, settings: CaptureSettings) -> Callable[[], LiveCamera]:
    """What opens a network stream that FFmpeg reads: rtsp, rtsps, http or https.

    Raises:
        ConfigError: the address names no host.
        MissingDependencyError: OpenCV is built without FFmpeg.
    """
    name = redact(url)
    if not re.match(r"\w+://[^/]", url):
        raise ConfigError(f"{name}: no host; expected for example rtsp://192.168.1.9:554/stream")
    if not cv2.videoio_registry.hasBackend(cv2.CAP_FFMPEG):
        raise MissingDependencyError(f"{name}: this OpenCV is built without FFmpeg; pip's wheels have it")

    def open_grabber() -> CaptureGrabber:
        silence_opencv_logs()
        limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, cv2.CAP_PROP_READ_TIMEOUT_MSEC]
        options = [part for limit in limits for part in (limit, _STREAM_TIMEOUT_MS)]
        capture = cv2.VideoCapture(url, cv2.CAP_FFMPEG, options)
        return CaptureGrabber(
            capture,
            f"{name}: does not open, tried for up to {_STREAM_TIMEOUT_MS // 1000} s; is the camera up, are "
            "path and password right?",
        )

    return lambda: LiveCamera(name, open_grabber, settings, first_s=_SLOW_FIRST_S)


def no_gstreamer() -> str:
    """What is said where OpenCV has no GStreamer, and how to mend it."""
    return f"this OpenCV is built without GStreamer, as all of pip's wheels are; fix: {remedies.gstreamer()}"


def redact(source: str) -> str:
    """The source without what may be a password: before an @, in a query, in an element's property."""
    source = re.sub(r"(:/+).*@", r"\1***@", source, flags=re.DOTALL)
    source = re.sub(r"(:/+[^\s?]*\?)\S+", r"\1***", source)
    return re.sub(r"((?:pw|password|passphrase)\s*=\s*)(\"[^\"]*\"|\S+)", r"\1***", source)


def _pipeline_opener(name: str, pipeline: str, settings: CaptureSettings) -> Callable[[], LiveCamera]:
    # getCameraBackends() lists GStreamer even where it is missing; hasBackend() tells the truth.
    if not cv2.videoio_registry.hasBackend(cv2.CAP_GSTREAMER):
        raise MissingDependencyError(f"{name}: {no_gstreamer()}")

    def open_grabber() -> CaptureGrabber:
        silence_opencv_logs()
        capture = cv2.VideoCapture(pipeline, cv2.CAP_GSTREAMER)
        return CaptureGrabber(capture, f"{name}: the pipeline does not start; try it with gst-launch-1.0")

    return lambda: PipelineCamera(name, open_grabber, settings, first_s=_SLOW_FIRST_S)
