"""USB cameras and other V4L2 devices, and the gray frame in what they send."""

from __future__ import annotations

import os

import cv2
import numpy as np

from edge.errors import CameraError
from edge.sources.camera import DEFAULT_WH
from edge.sources.live import LiveCamera
from edge.sources.opencv import CaptureGrabber, Pixels, gray_of, silence_opencv_logs
from edge.sources.pictures import decode_jpeg
from edge.sources.settings import CaptureSettings
from edge.sources.v4l2_devices import query
from edge.types import Gray

_YUYV = cv2.VideoWriter.fourcc(*"YUYV")
_MJPG = cv2.VideoWriter.fourcc(*"MJPG")
_JPEG_FORMATS = (_MJPG, cv2.VideoWriter.fourcc(*"JPEG"))


def open_v4l2(path: str, settings: CaptureSettings) -> LiveCamera:
    """Opens a USB camera or another V4L2 device.

    Args:
        path: The path of the device node, /dev/video0 or a link to it.
        settings: The form in which frames are wanted. The camera is asked for the size, or for 640x480.

    Raises:
        CameraError: The device does not exist, may not be opened, or is not a camera.
    """
    unusable_reason = query(path).unusable_reason
    if unusable_reason:
        raise CameraError(
            f"{path}: delivers no pictures ({unusable_reason}); `emotiny cameras` lists those that do"
        )
    size_wh = settings.size_wh or DEFAULT_WH
    return LiveCamera(path, lambda: V4L2Grabber(path, size_wh), settings)


class V4L2Grabber(CaptureGrabber):
    """A `Grabber` that reads the luma as the camera sent it, without a conversion to BGR and back."""

    def __init__(self, path: str, size_wh: tuple[int, int]) -> None:
        """Opens the camera.

        Args:
            path: The path of the device node.
            size_wh: The wanted width and height in pixels.

        Raises:
            CameraError: The device does not open.
        """
        silence_opencv_logs()
        # The default of 10 s would outlast close(); a camera that needs longer than 1 s is simply read again.
        os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "1")
        capture = cv2.VideoCapture(path, cv2.CAP_V4L2)
        super().__init__(capture, f"{path}: does not open; is another program using it (`fuser {path}`)?")
        # USB 2 carries no more than 640x480 uncompressed at 30 frames a second.
        wanted = _YUYV if size_wh[0] * size_wh[1] <= 640 * 480 else _MJPG
        capture.set(cv2.CAP_PROP_FOURCC, wanted)
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, size_wh[0])
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, size_wh[1])
        # Two buffers, not one: the driver fills one while the other is read, else every second frame is lost.
        # They cannot become stale, since the reader empties them at once.
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 2)
        # set() accepts a format that the camera does not have, so the format in use is read back.
        self._format = int(capture.get(cv2.CAP_PROP_FOURCC))
        self._size_wh = (
            int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)),
            int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)),
        )
        if self._format in (_YUYV, *_JPEG_FORMATS):
            capture.set(cv2.CAP_PROP_CONVERT_RGB, 0)

    def grab(self) -> Gray | None:
        """Returns the next frame, (H, W) uint8; None if the read failed or the frame is incomplete."""
        succeeded, pixels = self._capture.read()
        return luma_of(pixels, self._format, self._size_wh) if succeeded else None


def luma_of(pixels: Pixels, fourcc: int, size_wh: tuple[int, int]) -> Gray | None:
    """Extracts the gray frame from what OpenCV read of a V4L2 device.

    Args:
        pixels: uint8: JPEG, YUYV, or BGR for any other format. OpenCV 4.11 returns the first two, and the BGR
            of a camera that sends BGR, as one row of bytes.
        fourcc: The pixel format.
        size_wh: Width and height in pixels.

    Returns:
        (H, W) uint8; None if bytes are missing, as after an error on the cable.
    """
    width, height = size_wh
    row = np.asarray(pixels, dtype=np.uint8).reshape(-1)
    if fourcc in _JPEG_FORMATS:
        return decode_jpeg(row.tobytes())
    if fourcc == _YUYV:
        stride = row.size // height
        rows = row[: stride * height].reshape(height, stride)
        return np.ascontiguousarray(rows[:, : 2 * width : 2]) if stride >= 2 * width else None
    return gray_of(row.reshape(height, width, 3)) if row.size == 3 * width * height else None
