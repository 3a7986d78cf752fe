"""Opening the source that the text of --source names, and the errors if that fails."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import cv2
import pytest

import edge.sources.factory
from edge.errors import CameraError, ConfigError, EdgeError, MissingDependencyError
from edge.sources.factory import check_source, open_source
from edge.sources.settings import CaptureSettings
from edge.system.platform import Platform

PLAIN = CaptureSettings()
no_gstreamer = pytest.mark.skipif(
    cv2.videoio_registry.hasBackend(cv2.CAP_GSTREAMER), reason="this OpenCV has GStreamer"
)
no_picamera = pytest.mark.skipif(
    importlib.util.find_spec("picamera2") is not None, reason="this machine has picamera2"
)


def refusal(source: str) -> EdgeError:
    """Returns the error that opening or first reading a source raises."""
    with pytest.raises(EdgeError) as caught, open_source(source, PLAIN, fast=True) as camera:
        next(frame for frame in camera if frame is not None)
    return caught.value


@pytest.mark.parametrize(
    ("source", "kind", "exit_code", "parts"),
    [
        ("97", CameraError, 1, ["/dev/video97: no such device", "emotiny cameras", "--source demo"]),
        ("/dev/video97", CameraError, 1, ["/dev/video97: no such device", "emotiny cameras"]),
        ("/dev/v4l/by-id/none", CameraError, 1, ["/dev/v4l/by-id/none: no such device"]),
        (
            "/dev/null",
            CameraError,
            1,
            ["/dev/null: a device; expected a regular file", "a source is auto, demo"],
        ),
        ("nowhere.mp4", CameraError, 1, ["nowhere.mp4: no such file or folder", "rtsp://HOST/PATH"]),
        ("rtsp:/me:secret@host/a", CameraError, 1, ["rtsp:/***@host/a: no such file or folder"]),
        ("a" * 300, CameraError, 1, ["File name too long", "a source is auto, demo"]),
        ("", ConfigError, 2, ["source: empty", "expected for example auto"]),
        ("picamera2://front", ConfigError, 2, ["picamera2://front", "expected a camera's number"]),
        ("csi://", ConfigError, 2, ["csi://", "as in csi://0"]),
        ("gst:// ", ConfigError, 2, ["gst://: no pipeline", "gst://videotestsrc"]),
        ("rtsp://me:secret@host/\udcff", ConfigError, 2, ["source rtsp://***@host/\udcff: expected UTF-8"]),
        ("/dev/video\udcff", ConfigError, 2, ["/dev/video\udcff: expected UTF-8"]),
        ("a\udcff.mp4", CameraError, 1, ["no such file or folder"]),
        ("9" * 5000, CameraError, 1, ["File name too long"]),
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
def test_a_source_that_cannot_be_opened(
    source: str, kind: type[EdgeError], exit_code: int, parts: list[str]
) -> None:
    error = refusal(source)
    assert type(error) is kind
    assert error.exit_code == exit_code
    for part in parts:
        assert part in str(error)
    assert "secret" not in str(error)
    assert "\n" not in str(error)


def test_the_password_of_a_stream_that_does_not_open_is_not_shown(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    # Port 9 of this machine: refused at once, nothing leaves it.
    with caplog.at_level("DEBUG"):
        error = refusal("rtsp://me:secret@127.0.0.1:9/cam?token=secret")
    assert str(error).startswith("rtsp://***@127.0.0.1:9/cam?***: does not open")
    assert "secret" not in caplog.text + "".join(capfd.readouterr())


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


@pytest.mark.parametrize("source", ["nowhere.mp4", "97", "/dev/video97"])
def test_a_check_refuses_what_does_not_exist_unless_the_run_waits_for_it(source: str) -> None:
    with pytest.raises(CameraError, match="no such"):
        check_source(source, PLAIN, reconnect=False)
    check_source(source, PLAIN, reconnect=True)


@pytest.mark.parametrize("source", ["auto", "demo", "rtsp://127.0.0.1:9/a", "image.png"])
def test_a_check_opens_no_camera(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "image.png").touch()
    check_source(source, PLAIN, reconnect=False)


@pytest.mark.parametrize("reconnect", [False, True])
def test_a_check_refuses_a_text_that_names_no_source(reconnect: bool) -> None:
    with pytest.raises(ConfigError, match="unknown kind"):
        check_source("ftp://host/a", PLAIN, reconnect=reconnect)
