"""Captures of OpenCV, and the gray frame in what they return."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge.errors import CameraError
from edge.sources.opencv import CaptureGrabber
from edge.types import Gray


class Capture:
    """The part of cv2.VideoCapture that a grabber uses."""

    def __init__(self, picture: Gray | None, opened: bool = True) -> None:
        self.picture = picture
        self.opened = opened

    def isOpened(self) -> bool:  # noqa: N802
        return self.opened

    def read(self) -> tuple[bool, Gray | None]:
        return self.picture is not None, self.picture

    def release(self) -> None:
        self.opened = False


GRAY = np.tile(np.arange(0, 240, 15, dtype=np.uint8), (8, 1))
BGR = np.asarray(cv2.cvtColor(GRAY, cv2.COLOR_GRAY2BGR), dtype=np.uint8)
YUYV = np.dstack([GRAY, np.full_like(GRAY, 128)])
PADDED = np.hstack([YUYV.reshape(8, 32), np.full((8, 6), 9, dtype=np.uint8)])
JPEG = np.asarray(cv2.imencode(".jpg", GRAY)[1], dtype=np.uint8)


@pytest.mark.parametrize("picture", [GRAY, BGR], ids=["gray", "BGR"])
def test_a_capture_of_a_stream_returns_gray_frames(picture: Gray) -> None:
    capture = Capture(picture)
    grabber = CaptureGrabber(capture, "")  # type: ignore[arg-type]
    gray = grabber.grab()
    assert gray is not None
    np.testing.assert_array_equal(gray, GRAY)
    grabber.close()
    assert not capture.opened


def test_a_read_without_a_picture() -> None:
    assert CaptureGrabber(Capture(None), "").grab() is None  # type: ignore[arg-type]


def test_a_capture_that_is_not_open_is_refused() -> None:
    with pytest.raises(CameraError, match="busy"):
        CaptureGrabber(Capture(None, opened=False), "busy")  # type: ignore[arg-type]
