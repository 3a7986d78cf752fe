"""The luma of what a V4L2 camera sends, and devices that are not cameras."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge.errors import CameraError
from edge.sources.settings import CaptureSettings
from edge.sources.v4l2 import luma_of, open_v4l2
from edge.sources.v4l2_devices import V4L2Device
from edge.types import Gray

GRAY = np.tile(np.arange(0, 240, 15, dtype=np.uint8), (8, 1))
BGR = np.asarray(cv2.cvtColor(GRAY, cv2.COLOR_GRAY2BGR), dtype=np.uint8)
YUYV = np.dstack([GRAY, np.full_like(GRAY, 128)])
PADDED = np.hstack([YUYV.reshape(8, 32), np.full((8, 6), 9, dtype=np.uint8)])
JPEG = np.asarray(cv2.imencode(".jpg", GRAY)[1], dtype=np.uint8)


@pytest.mark.parametrize("row", [True, False], ids=["one row", "an array"])
@pytest.mark.parametrize(
    ("picture", "name"),
    [(JPEG, "MJPG"), (JPEG, "JPEG"), (YUYV, "YUYV"), (PADDED, "YUYV"), (BGR, "BGR3")],
    ids=["JPEG", "JPEG, in its other name", "YUYV", "YUYV with padded rows", "BGR"],
)
def test_the_luma_of_what_a_v4l2_camera_sends(picture: Gray, name: str, row: bool) -> None:
    sent = picture.reshape(1, -1) if row else picture
    gray = luma_of(sent, cv2.VideoWriter.fourcc(*name), (16, 8))
    assert gray is not None
    assert gray.dtype == np.uint8
    assert gray.shape == GRAY.shape
    assert gray.flags.c_contiguous
    assert np.abs(gray.astype(int) - GRAY).max() <= (4 if picture is JPEG else 0)


@pytest.mark.parametrize(("picture", "name"), [(JPEG, "MJPG"), (YUYV, "YUYV"), (BGR, "BGR3")])
def test_an_incomplete_frame_is_a_failed_read(picture: Gray, name: str) -> None:
    cut = picture.reshape(1, -1)[:, :20]
    assert luma_of(cut, cv2.VideoWriter.fourcc(*name), (16, 8)) is None


@pytest.mark.parametrize("suffix", [".jp2", ".png"])
def test_only_jpegs_of_a_camera_are_decoded(suffix: str) -> None:
    """A device on the USB port may send anything."""
    sent = np.asarray(cv2.imencode(suffix, np.tile(GRAY, (8, 8)))[1], dtype=np.uint8)
    assert cv2.imdecode(sent, cv2.IMREAD_GRAYSCALE) is not None
    assert luma_of(sent, cv2.VideoWriter.fourcc(*"MJPG"), (128, 64)) is None


def test_a_codec_is_refused_as_a_camera(monkeypatch: pytest.MonkeyPatch) -> None:
    codec = V4L2Device("/dev/video10", "bcm2835-codec", "decoder", True, "a codec or scaler")
    monkeypatch.setattr("edge.sources.v4l2.query", lambda path: codec)
    with pytest.raises(CameraError, match=r"/dev/video10: delivers no pictures \(a codec or scaler\); `emo"):
        open_v4l2("/dev/video10", CaptureSettings())
