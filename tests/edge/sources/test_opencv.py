"""Captures of OpenCV, and the gray frame in what they return."""

from __future__ import annotations

import http.server
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.errors import CameraError
from edge.sources.factory import open_source
from edge.sources.opencv import CaptureGrabber, silence_opencv_logs
from edge.sources.settings import CaptureSettings
from edge.types import Gray
from tests.support.scripted_server import ScriptedServer

LIMIT_S = 20


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


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves files without a line about each."""

    def log_message(self, *_: object) -> None:
        """Logs nothing."""


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """The address of a server that has the files of the test's folder."""
    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(QuietHandler, directory=tmp_path)
    ) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def write_stream(path: Path, size_wh: tuple[int, int]) -> None:
    silence_opencv_logs()
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, size_wh)
    for _ in range(3):
        writer.write(np.zeros((size_wh[1], size_wh[0], 3), np.uint8))
    writer.release()


def test_the_address_of_a_single_picture_is_no_stream(tmp_path: Path, address: str) -> None:
    cv2.imwrite(str(tmp_path / "snapshot.jpg"), np.zeros((48, 64), np.uint8))
    with (
        pytest.raises(CameraError, match="or is this the address of a single picture"),
        open_source(f"{address}/snapshot.jpg", CaptureSettings()) as camera,
    ):
        deque(camera, maxlen=0)


def test_a_stream_of_jpegs_may_change_their_size() -> None:
    """As a telephone's does that is turned. The bright half shows that the whole picture is read."""
    sizes_wh = [(640, 480), (320, 240), (800, 600), (640, 480)]
    shown: list[Gray] = []
    seen: list[Gray] = []

    def serve(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=x\r\n\r\n")
        for number, (width, height) in enumerate(sizes_wh, 1):
            picture = np.zeros((height, width), np.uint8)
            picture[height // 2 :] = 50 * number
            shown.append(picture)
            jpeg = cv2.imencode(".jpg", picture)[1].tobytes()
            head = b"--x\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(jpeg)
            until_s = time.monotonic() + LIMIT_S
            while len(seen) < number and time.monotonic() < until_s:
                connection.sendall(head + jpeg + b"\r\n")
                time.sleep(0.05)

    server = ScriptedServer(serve)
    with open_source(f"http://127.0.0.1:{server.port}/") as camera:
        for frame in camera:
            if frame is None:
                continue
            # Each picture comes several times, and the first ones of a size may be those of the last.
            if abs(float(frame.gray[-1].mean()) - 50 * (len(seen) + 1)) < 5:
                seen.append(frame.gray)
            if len(seen) == len(sizes_wh):
                break
    server.close()
    for gray, picture in zip(seen, shown, strict=True):
        assert gray.shape == picture.shape
        np.testing.assert_allclose(gray.astype(float), picture.astype(float), atol=8)


def test_a_stream_of_jpeg_2000_is_refused(tmp_path: Path, address: str) -> None:
    (tmp_path / "a.jp2").write_bytes(cv2.imencode(".jp2", np.zeros((64, 64), np.uint8))[1].tobytes())
    with (
        open_source(f"{address}/a.jp2") as camera,
        pytest.raises(
            CameraError, match=r"a\.jp2: pictures of the format mjp2 are not read; expected a video"
        ),
    ):
        list(camera)


def test_a_stream_of_larger_frames_than_memory_is_refused(tmp_path: Path, address: str) -> None:
    write_stream(tmp_path / "small.avi", (640, 480))
    write_stream(tmp_path / "large.avi", (5000, 5000))
    with open_source(f"{address}/small.avi") as camera:
        assert next(frame for frame in camera if frame is not None).gray.shape == (480, 640)
    with (
        open_source(f"{address}/large.avi") as camera,
        pytest.raises(
            CameraError, match=r"large\.avi: a video of 5000x5000 pixels; expected 4096x2304 at most"
        ),
    ):
        list(camera)
