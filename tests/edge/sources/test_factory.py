"""From the text of --source to a camera, and what is said where that fails."""

from __future__ import annotations

import importlib.util
import logging
import sys
import types
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import edge.sources.factory
from edge.errors import CameraError, ConfigError, EdgeError, MissingDependencyError
from edge.sources.camera import CaptureSettings
from edge.sources.factory import open_source
from edge.sources.opencv import CaptureGrabber
from edge.sources.uri import redact
from edge.sources.v4l2 import luma_of
from edge.sources.v4l2_devices import V4L2Device
from edge.system.platform import Platform
from edge.types import Gray

PLAIN = CaptureSettings()
no_gstreamer = pytest.mark.skipif(
    cv2.videoio_registry.hasBackend(cv2.CAP_GSTREAMER), reason="this OpenCV has GStreamer"
)
no_picamera = pytest.mark.skipif(
    importlib.util.find_spec("picamera2") is not None, reason="this machine has picamera2"
)


def refusal(source: str) -> EdgeError:
    """The error with which a source is refused, when it is opened or when it is first read."""
    with pytest.raises(EdgeError) as caught, open_source(source, PLAIN, fast=True) as camera:
        next(frame for frame in camera if frame is not None)
    return caught.value


@pytest.mark.parametrize(
    ("source", "kind", "exit_code", "parts"),
    [
        ("97", CameraError, 1, ["/dev/video97: no such device", "emotiny cameras", "--source demo"]),
        ("/dev/video97", CameraError, 1, ["/dev/video97: no such device", "emotiny cameras"]),
        ("/dev/v4l/by-id/none", CameraError, 1, ["/dev/v4l/by-id/none: no such device"]),
        ("/dev/null", CameraError, 1, ["/dev/null: no such file or folder", "a source is auto, demo"]),
        ("nowhere.mp4", CameraError, 1, ["nowhere.mp4: no such file or folder", "rtsp://HOST/PATH"]),
        ("rtsp:/me:secret@host/a", CameraError, 1, ["rtsp:/***@host/a: no such file or folder"]),
        ("a" * 300, CameraError, 1, ["File name too long", "expected what this user can read"]),
        ("", ConfigError, 2, ["source: empty", "expected for example auto"]),
        ("picamera2://front", ConfigError, 2, ["picamera2://front", "expected a camera's number"]),
        ("csi://", ConfigError, 2, ["csi://", "as in csi://0"]),
        ("gst:// ", ConfigError, 2, ["gst://: no pipeline", "gst://videotestsrc"]),
        ("rtsp://", ConfigError, 2, ["rtsp://: no host", "expected for example rtsp://"]),
        (
            "ftp://me:secret@host/a",
            ConfigError,
            2,
            ["ftp://***@host/a: unknown kind", "expected picamera2://"],
        ),
        pytest.param(
            "csi://0",
            MissingDependencyError,
            2,
            ["csi://0", "without GStreamer", "python3-opencv", "--system-site-packages"],
            marks=no_gstreamer,
        ),
        pytest.param(
            "gst://rtspsrc location=rtsp://me:secret@host user-pw=secret ! decodebin",
            MissingDependencyError,
            2,
            ["***@host user-pw=*** ! decodebin", "without GStreamer"],
            marks=no_gstreamer,
        ),
        pytest.param(
            "picamera2://0",
            MissingDependencyError,
            2,
            ["picamera2://0", "sudo apt install -y python3-picamera2", "--system-site-packages"],
            marks=no_picamera,
        ),
    ],
)
def test_a_source_that_cannot_be(
    source: str, kind: type[EdgeError], exit_code: int, parts: list[str]
) -> None:
    error = refusal(source)
    assert type(error) is kind
    assert error.exit_code == exit_code
    for part in parts:
        assert part in str(error)
    assert "secret" not in str(error)
    assert "\n" not in str(error)


def test_a_stream_that_refuses_keeps_its_password_to_itself(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    # Port 9 of this machine: refused at once, nothing leaves it.
    with caplog.at_level("DEBUG"):
        error = refusal("rtsp://me:secret@127.0.0.1:9/cam?token=secret")
    assert str(error).startswith("rtsp://***@127.0.0.1:9/cam?***: does not open")
    assert "secret" not in caplog.text + "".join(capfd.readouterr())


@pytest.mark.parametrize(
    ("source", "masked"),
    [
        ("rtsp://host/a", "rtsp://host/a"),
        ("rtsp://me:pw@host:554/a", "rtsp://***@host:554/a"),
        ("rtsp://me:p@ss/w:rd@host/a", "rtsp://***@host/a"),
        ("rtsp://me:p w@host/a", "rtsp://***@host/a"),
        ("rtsp:/me:pw@host/a", "rtsp:/***@host/a"),
        ("http://host/v?user=a&pw=b", "http://host/v?***"),
        ('gst://rtspsrc user-pw="a b" ! x', "gst://rtspsrc user-pw=*** ! x"),
        ("gst://srtsrc passphrase = abc ! x", "gst://srtsrc passphrase = *** ! x"),
        ("gst://videotestsrc ! x", "gst://videotestsrc ! x"),
    ],
)
def test_passwords_are_masked(source: str, masked: str) -> None:
    assert redact(source) == masked


def test_a_folder_without_pictures(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    error = refusal(str(tmp_path))
    assert str(error).startswith(f"{tmp_path}: no picture in this folder; expected .jpg")


def test_auto_without_any_camera_is_the_demo(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(edge.sources.factory, "query_all", lambda: ([], {}))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(edge.sources.factory, "detect_platform", Platform)
    with open_source("auto", PLAIN, fast=True) as camera:
        frame = next(frame for frame in camera if frame is not None)
        assert camera.name == "demo"
    assert frame.gray.shape == (480, 640)
    assert "no camera answers: playing the demo" in caplog.text


def test_a_codec_is_refused_as_a_camera(monkeypatch: pytest.MonkeyPatch) -> None:
    codec = V4L2Device("/dev/video10", "bcm2835-codec", "decoder", True, "a codec or scaler")
    monkeypatch.setattr("edge.sources.v4l2.query", lambda path: codec)
    assert str(refusal("10")).startswith("/dev/video10: delivers no pictures (a codec or scaler); `emotiny")


# What VideoCapture gives, and the gray picture in it.


class Capture:
    """As much of cv2.VideoCapture as a grabber uses."""

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
def test_a_capture_of_a_stream_gives_gray(picture: Gray) -> None:
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


@pytest.mark.parametrize("row", [True, False], ids=["one row", "an array"])
@pytest.mark.parametrize(
    ("picture", "name"),
    [(JPEG, "MJPG"), (YUYV, "YUYV"), (PADDED, "YUYV"), (BGR, "BGR3")],
    ids=["JPEG", "YUYV", "YUYV with padded rows", "BGR"],
)
def test_the_luma_of_what_a_v4l2_camera_sends(picture: Gray, name: str, row: bool) -> None:
    sent = picture.reshape(1, -1) if row else picture
    gray = luma_of(sent, cv2.VideoWriter.fourcc(*name), (16, 8))
    assert gray is not None
    assert gray.dtype == np.uint8
    assert gray.shape == GRAY.shape
    assert gray.flags.c_contiguous
    assert np.abs(gray.astype(int) - GRAY).max() <= (4 if name == "MJPG" else 0)


@pytest.mark.parametrize(("picture", "name"), [(JPEG, "MJPG"), (YUYV, "YUYV"), (BGR, "BGR3")])
def test_a_picture_that_was_cut_off_on_the_cable_is_none(picture: Gray, name: str) -> None:
    cut = picture.reshape(1, -1)[:, :20]
    assert luma_of(cut, cv2.VideoWriter.fourcc(*name), (16, 8)) is None


# picamera2: its surface as of 0.3, with what libcamera makes of a request.


class Picamera:
    """A Raspberry Pi with one camera of 40x30, rows padded to 64 bytes."""

    format = "YUV420"
    held = False  # by one of this process, or another's
    fault: Exception | None = None  # of the memory for pictures, by when the camera is held already
    stalls = False
    last: Picamera  # the one that was opened last

    @staticmethod
    def global_camera_info() -> list[dict[str, object]]:
        return [{"Num": 0, "Model": "imx219"}]

    def __init__(self, number: int) -> None:
        self.opened = self.closed = False
        Picamera.last = self
        if type(self).held:
            logging.getLogger("picamera2.picamera2").error("Camera __init__ sequence did not complete.")
            busy = RuntimeError("Failed to acquire camera: Device or resource busy")
            raise RuntimeError("Camera __init__ sequence did not complete.") from busy
        type(self).held = self.opened = True
        logging.getLogger("picamera2.picamera2").info("Camera now open.")
        if self.fault is not None:
            raise self.fault
        self.allocator = object()

    def create_video_configuration(self, **streams: dict[str, Any]) -> dict[str, Any]:
        self.asked = streams
        return streams

    def configure(self, configuration: dict[str, Any]) -> None:
        pass

    def camera_configuration(self) -> dict[str, Any]:
        stride = 128 if self.format == "YUYV" else 64
        return {"lores": {"format": self.format, "size": (40, 30), "stride": stride}}

    def start(self) -> None:
        pass

    def capture_buffer(self, stream: str, wait: float) -> Gray:
        assert stream == "lores"
        assert isinstance(wait, float) and wait < 10  # else it is left alone, and keeps the camera
        if self.stalls:
            raise futures.TimeoutError
        luma = np.full((30, 64), 255, np.uint8)
        luma[:, :40] = np.arange(40)
        if self.format == "YUYV":
            return np.dstack([luma, np.full_like(luma, 128)]).ravel()
        return np.concatenate([luma.ravel(), np.full(64 * 15, 128, np.uint8)])

    def close(self) -> None:
        if self.opened:
            self.closed, self.opened, type(self).held = True, False, False
            del self.allocator


@pytest.fixture
def picamera(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Picamera]]:
    kind = type("Picamera", (Picamera,), {})
    module = types.ModuleType("picamera2")
    module.Picamera2 = kind  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "picamera2", module)
    yield kind
    for name in ("picamera2", "picamera2.picamera2"):
        logging.getLogger(name).setLevel(logging.NOTSET)


@pytest.mark.parametrize("name", ["YUV420", "NV12", "YUYV"])
def test_the_luma_of_the_small_stream_is_the_picture(picamera: type[Picamera], name: str) -> None:
    picamera.format = name
    with open_source("picamera2://0", CaptureSettings(size_wh=(321, 241)), fast=False) as camera:
        frame = next(frame for frame in camera if frame is not None)
    np.testing.assert_array_equal(frame.gray, np.tile(np.arange(40, dtype=np.uint8), (30, 1)))
    assert Picamera.last.asked["lores"]["size"] == (320, 240)
    assert Picamera.last.asked["main"]["size"] == (1280, 960)
    assert Picamera.last.closed


def test_a_format_without_luma_is_refused(picamera: type[Picamera]) -> None:
    picamera.format = "XBGR8888"
    assert "picamera2://0: delivers XBGR8888; expected a format that begins with luma" in str(
        refusal("picamera2://0")
    )
    assert Picamera.last.closed


def test_a_picamera2_that_was_built_for_another_numpy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "picamera2.py").write_text("raise ValueError('numpy.dtype size changed')")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "picamera2", raising=False)
    error = refusal("picamera2://0")
    assert isinstance(error, MissingDependencyError)
    assert str(error).startswith(
        "picamera2://0: picamera2 cannot be imported (numpy.dtype size changed); fix: `"
    )


def test_a_camera_that_libcamera_does_not_find(picamera: type[Picamera]) -> None:
    assert "picamera2://3: libcamera finds 1 cameras" in str(refusal("picamera2://3"))


def test_a_camera_that_is_in_use(picamera: type[Picamera], caplog: pytest.LogCaptureFixture) -> None:
    picamera.held = True
    error = refusal("picamera2://0")
    assert str(error) == (
        "picamera2://0: does not start (Failed to acquire camera: Device or resource busy); "
        "is another program using it?"
    )
    assert error.exit_code == 1
    assert not caplog.records  # one line says it


def test_a_camera_that_fails_half_way_is_given_back(picamera: type[Picamera], tmp_path: Path) -> None:
    heap = tmp_path / "dma_heap" / "system"
    heap.parent.mkdir()
    heap.touch(0o600)
    picamera.fault = PermissionError(13, "Permission denied", str(heap))
    said = str(refusal("picamera2://0"))
    assert said.startswith(f"picamera2://0: {heap}: permission denied: its mode is -rw-------")
    assert "`sudo udevadm trigger --subsystem-match=dma_heap`" in said
    picamera.fault = RuntimeError("Could not open any dmaHeap device")
    assert "does not start (Could not open any dmaHeap device)" in str(refusal("picamera2://0"))
    picamera.fault = None
    with open_source("picamera2://0", PLAIN, fast=False) as camera:
        assert next(frame for frame in camera if frame is not None)
    assert not picamera.held


def test_a_camera_that_stalls_is_given_back(picamera: type[Picamera]) -> None:
    picamera.stalls = True
    assert str(refusal("picamera2://0")) == "picamera2://0: no picture for 8 s; check the ribbon cable"
    assert Picamera.last.closed
    assert not picamera.held


@pytest.mark.parametrize(("level", "told"), [(logging.INFO, False), (logging.DEBUG, True)])
def test_what_picamera2_tells_of_every_opening_is_for_debugging(
    picamera: type[Picamera], caplog: pytest.LogCaptureFixture, level: int, told: bool
) -> None:
    caplog.set_level(level)
    with open_source("picamera2://0", PLAIN, fast=False) as camera:
        next(frame for frame in camera if frame is not None)
    assert ("Camera now open." in caplog.text) == told
