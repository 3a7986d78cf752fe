"""Network streams that OpenCV reads through FFmpeg, and what all captures of OpenCV share."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from edge.errors import CameraError, ConfigError, MissingDependencyError
from edge.sources.live import LiveCamera
from edge.sources.pictures import decode_jpeg
from edge.sources.settings import CaptureSettings
from edge.sources.uri import redact
from edge.types import Gray

# FFmpeg's own limits, below those of LiveCamera: its errors come sooner and say more than a timeout.
_STREAM_TIMEOUT_MS = 5000
# Seconds to a first frame: a stream waits for its next key frame, a pipeline for its elements.
SLOW_FIRST_S = 10.0

# A video of 4096x2304 pixels; FFmpeg holds several of its frames at a time.
_MAX_VIDEO_PIXELS = 4096 * 2304
# Codecs of still pictures, JPEG apart: JPEG 2000, PNG, TIFF.
_STILL_CODECS = ("mjp2", "mpng", "tiff")
# Of CAP_PROP_FORMAT: frames are returned as they are in the stream.
_UNDECODED = -1

Pixels: TypeAlias = npt.NDArray[np.integer[Any] | np.floating[Any]]


class CaptureGrabber:
    """A `Grabber` over `cv2.VideoCapture`."""

    def __init__(self, capture: cv2.VideoCapture, refusal: str) -> None:
        """Takes over a capture.

        Args:
            capture: A capture for which opening was tried.
            refusal: The message of the error if it is not open.

        Raises:
            CameraError: The capture is not open.
        """
        if not capture.isOpened():
            raise CameraError(refusal)
        self._capture = capture

    def grab(self) -> Gray | None:
        """Returns the next frame, (H, W) uint8; None if the read failed."""
        succeeded, pixels = self._capture.read()
        return gray_of(pixels) if succeeded else None

    def close(self) -> None:
        """Releases the device."""
        self._capture.release()


class JpegStreamGrabber(CaptureGrabber):
    """A `Grabber` over a stream of JPEGs, which may be of any size and change it at any time.

    OpenCV 4.11 converts what FFmpeg has decoded by the size that the stream began with: of smaller pictures
    it reads beyond their memory, and of larger ones it repeats the last picture without an end.
    """

    def __init__(self, capture: cv2.VideoCapture, refusal: str) -> None:
        """Takes over a capture for which `has_jpegs` is true; arguments and errors are those of the base."""
        super().__init__(capture, refusal)
        capture.set(cv2.CAP_PROP_FORMAT, _UNDECODED)

    def grab(self) -> Gray | None:
        """Returns the next frame, (H, W) uint8; None if the read failed, or if it is no JPEG."""
        succeeded, content = self._capture.read()
        return decode_jpeg(np.asarray(content, dtype=np.uint8).tobytes()) if succeeded else None


def has_jpegs(capture: cv2.VideoCapture) -> bool:
    """Returns whether the frames of an open video or stream are JPEGs."""
    return _codec(capture).lower() == "mjpg"


def gray_of(pixels: Pixels) -> Gray:
    """Converts (H, W, 3) uint8 BGR, or (H, W) uint8 gray, to (H, W) uint8 gray."""
    if pixels.ndim == 3:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)
    return np.asarray(pixels, dtype=np.uint8)


def check_video(capture: cv2.VideoCapture, name: str) -> None:
    """Checks a video or stream that FFmpeg has opened, before its frames are decoded.

    Args:
        capture: The open capture.
        name: The name of the source in messages.

    Raises:
        CameraError: Its frames are too large, or pictures of a format that no video needs.
    """
    codec = _codec(capture)
    if codec.lower() in _STILL_CODECS:
        raise CameraError(f"{name}: pictures of the format {codec} are not read; expected a video")
    width, height = (int(capture.get(each)) for each in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
    if width * height > _MAX_VIDEO_PIXELS:
        raise CameraError(f"{name}: a video of {width}x{height} pixels; expected 4096x2304 at most")


def _codec(capture: cv2.VideoCapture) -> str:
    """Returns the four characters of a codec, which may be in either case."""
    number = int(capture.get(cv2.CAP_PROP_FOURCC))
    return number.to_bytes(8, "little", signed=True)[:4].decode("latin-1")


def silence_opencv_logs() -> None:
    """Keeps OpenCV and FFmpeg from writing to stderr, unless their environment variables ask for it.

    Their lines say less than the errors raised here, and FFmpeg's contain addresses with passwords.
    """
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    if "OPENCV_LOG_LEVEL" not in os.environ:
        # Its place differs between OpenCV 4.11 and 4.14.
        opencv: Any = cv2
        set_log_level = getattr(opencv, "setLogLevel", None) or opencv.utils.logging.setLogLevel
        set_log_level(0)


class _StreamCamera(LiveCamera):
    lost_hint = "did the stream end, or is this the address of a single picture?"


def stream_opener(url: str, settings: CaptureSettings) -> Callable[[], LiveCamera]:
    """Returns an opener of a network stream that FFmpeg reads: rtsp, rtsps, http or https.

    Raises:
        ConfigError: The address names no host.
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
        grabber_type = JpegStreamGrabber if has_jpegs(capture) else CaptureGrabber
        grabber = grabber_type(
            capture,
            f"{name}: does not open, tried for up to {_STREAM_TIMEOUT_MS // 1000} s; is the camera up, are "
            "path and password right?",
        )
        try:
            check_video(capture, name)
        except CameraError:
            grabber.close()
            raise
        return grabber

    return lambda: _StreamCamera(name, open_grabber, settings, first_s=SLOW_FIRST_S)
