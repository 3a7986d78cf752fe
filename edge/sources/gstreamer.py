"""Cameras that OpenCV reads through GStreamer: those of a Jetson, and pipelines."""

from __future__ import annotations

from collections.abc import Callable

import cv2

from edge.errors import ConfigError, MissingDependencyError
from edge.sources.camera import DEFAULT_WH
from edge.sources.live import LiveCamera
from edge.sources.opencv import SLOW_FIRST_S, CaptureGrabber, silence_opencv_logs
from edge.sources.settings import CaptureSettings
from edge.sources.uri import redact
from edge.system import remedies

_APPSINK = "appsink drop=true max-buffers=1 sync=false"


class PipelineCamera(LiveCamera):
    """A GStreamer pipeline.

    OpenCV ignores an element that is not installed, and then waits for ever for its frames.
    """

    hint = "try it with gst-launch-1.0, which names an element that is missing;"


def csi_opener(number: int, settings: CaptureSettings) -> Callable[[], LiveCamera]:
    """Returns an opener of a Jetson's CSI camera, read through the board's image processor.

    The fast modes of the sensors are 16:9, so frames have the wanted width and that shape, and nothing is
    distorted: 640x360 if no size is wanted.

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
    """Returns an opener of a GStreamer pipeline.

    A pipeline without an appsink gets one for gray frames of the wanted size; an appsink of its own must
    receive GRAY8 or BGR.

    Raises:
        ConfigError: The pipeline is empty.
        MissingDependencyError: OpenCV is built without GStreamer.
    """
    if not pipeline.strip():
        raise ConfigError("gst://: no pipeline; expected for example gst://videotestsrc")
    name = redact(f"gst://{pipeline}")
    if "appsink" not in pipeline:
        size = "" if settings.size_wh is None else ",width={},height={}".format(*settings.size_wh)
        pipeline = f"{pipeline} ! videoconvert ! videoscale ! video/x-raw,format=GRAY8{size} ! {_APPSINK}"
    return _pipeline_opener(name, pipeline, settings)


def no_gstreamer() -> str:
    """Returns the message for an OpenCV without GStreamer, with its fix."""
    return f"this OpenCV is built without GStreamer, as all of pip's wheels are; fix: {remedies.gstreamer()}"


def _pipeline_opener(name: str, pipeline: str, settings: CaptureSettings) -> Callable[[], LiveCamera]:
    # getCameraBackends() lists GStreamer even if it is missing; hasBackend() does not.
    if not cv2.videoio_registry.hasBackend(cv2.CAP_GSTREAMER):
        raise MissingDependencyError(f"{name}: {no_gstreamer()}")

    def open_grabber() -> CaptureGrabber:
        silence_opencv_logs()
        capture = cv2.VideoCapture(pipeline, cv2.CAP_GSTREAMER)
        return CaptureGrabber(capture, f"{name}: the pipeline does not start; try it with gst-launch-1.0")

    return lambda: PipelineCamera(name, open_grabber, settings, first_s=SLOW_FIRST_S)
