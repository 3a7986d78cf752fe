"""The Raspberry Pi's camera, with a fake of picamera2 0.3 that answers as libcamera does."""

from __future__ import annotations

import logging
import sys
import types
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.errors import CameraError, EdgeError, MissingDependencyError
from edge.sources.factory import open_source
from edge.sources.settings import CaptureSettings
from edge.types import Gray

PLAIN = CaptureSettings()


def refusal(source: str) -> EdgeError:
    """Returns the error that opening or first reading a source raises."""
    with pytest.raises(EdgeError) as caught, open_source(source, PLAIN, fast=True) as camera:
        next(frame for frame in camera if frame is not None)
    return caught.value


class Picamera:
    """A Raspberry Pi with one camera of 40x30, rows padded to 64 bytes."""

    format = "YUV420"
    held = False  # whether this or another process has opened the camera
    fault: Exception | None = None  # raised when memory for frames is allocated, after the camera was opened
    stalls = False
    last: Picamera  # the camera that was opened last

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
        assert isinstance(wait, float) and wait < 10  # else the read is abandoned, and keeps the camera
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
def test_the_luma_of_the_small_stream_is_the_frame(picamera: type[Picamera], name: str) -> None:
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


def test_a_libcamera_that_does_not_start(picamera: type[Picamera], monkeypatch: pytest.MonkeyPatch) -> None:
    """As at boot, before the kernel has media devices."""

    def fail() -> list[dict[str, object]]:
        raise RuntimeError("Failed to start CameraManager: No such device")

    monkeypatch.setattr(picamera, "global_camera_info", fail)
    error = refusal("picamera2://0")
    assert isinstance(error, CameraError)  # the service tries again
    assert str(error) == (
        "picamera2://0: libcamera does not start (Failed to start CameraManager: No such device)"
    )


def test_a_camera_that_is_in_use(picamera: type[Picamera], caplog: pytest.LogCaptureFixture) -> None:
    picamera.held = True
    error = refusal("picamera2://0")
    assert str(error) == (
        "picamera2://0: does not start (Failed to acquire camera: Device or resource busy); "
        "is another program using it?"
    )
    assert error.exit_code == 1
    assert not caplog.records  # the error is the only line


def test_a_camera_that_fails_half_way_is_released(picamera: type[Picamera], tmp_path: Path) -> None:
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


def test_a_camera_that_stalls_is_released(picamera: type[Picamera]) -> None:
    picamera.stalls = True
    assert str(refusal("picamera2://0")) == "picamera2://0: no picture for 8 s; check the ribbon cable"
    assert Picamera.last.closed
    assert not picamera.held


@pytest.mark.parametrize(("level", "told"), [(logging.INFO, False), (logging.DEBUG, True)])
def test_what_picamera2_logs_of_every_opening_is_for_debugging(
    picamera: type[Picamera], caplog: pytest.LogCaptureFixture, level: int, told: bool
) -> None:
    caplog.set_level(level)
    with open_source("picamera2://0", PLAIN, fast=False) as camera:
        next(frame for frame in camera if frame is not None)
    assert ("Camera now open." in caplog.text) == told
