"""Devices as drivers of V4L2 describe them, and which of these are cameras."""

import importlib.util
import itertools
import logging
import os

import pytest

from edge.errors import CameraError
from edge.sources.factory import open_source
from edge.sources.reconnect import ReconnectingCamera
from edge.sources.settings import CaptureSettings
from edge.sources.v4l2_devices import V4L2Device, formats, query, query_all
from edge.system.platform import Platform
from tests.support.v4l2 import CAPTURE, HAS_DEVICE_CAPS, M2M, META, MULTI_PLANE, OUTPUT, STREAMING, capability


@pytest.mark.parametrize(
    ("driver", "device", "node", "unusable_reason"),
    [
        ("uvcvideo", HAS_DEVICE_CAPS | CAPTURE | META | STREAMING, CAPTURE | STREAMING, ""),
        ("uvcvideo", HAS_DEVICE_CAPS | CAPTURE | META | STREAMING, META | STREAMING, "metadata"),
        ("some isp", HAS_DEVICE_CAPS | MULTI_PLANE, MULTI_PLANE, ""),
        ("v4l2 loopback", HAS_DEVICE_CAPS | CAPTURE | OUTPUT, CAPTURE | OUTPUT, ""),
        ("v4l2 loopback", HAS_DEVICE_CAPS | OUTPUT, OUTPUT, "an output"),
        ("old driver", CAPTURE | STREAMING, 0, ""),
        ("bcm2835-codec", HAS_DEVICE_CAPS | M2M, M2M, "an image processor"),
        ("a codec", HAS_DEVICE_CAPS | M2M | CAPTURE, M2M | CAPTURE, "a codec"),
        ("bcm2835-isp", HAS_DEVICE_CAPS | CAPTURE, CAPTURE, "an image processor"),
        ("unicam", HAS_DEVICE_CAPS | CAPTURE, CAPTURE, "raw pixels of a sensor"),
        ("tegra-video", HAS_DEVICE_CAPS | CAPTURE, CAPTURE, "raw pixels of a sensor"),
        ("bm2835 mmal", HAS_DEVICE_CAPS | CAPTURE, CAPTURE, ""),
    ],
)
def test_which_nodes_are_cameras(driver: str, device: int, node: int, unusable_reason: str) -> None:
    found = V4L2Device.parse("/dev/video0", capability(driver, device, node))
    assert (found.driver, found.card) == (driver, "card")
    assert bool(found.unusable_reason) == bool(unusable_reason)
    assert unusable_reason in found.unusable_reason


def test_a_node_that_is_no_video_device() -> None:
    with pytest.raises(CameraError, match="/dev/null: not a video device; expected a camera"):
        query("/dev/null")


def test_the_cameras_here_can_be_listed() -> None:
    devices, errors = query_all()
    assert all(device.path.startswith("/dev/video") for device in devices)
    assert all(name.startswith("/dev/video") for name in errors)


MANY = [(160 * n, 120 * n) for n in (4, 1, 2, 3, 5, 6, 8)]


@pytest.mark.parametrize(
    ("node", "has", "said"),
    [
        (
            CAPTURE,
            {"YUYV": [(1280, 720), (640, 480)], "MJPG": MANY},
            ["YUYV 640x480 1280x720", "MJPG 160x120 to 1280x960 (7 sizes)"],
        ),
        (MULTI_PLANE, {"NV12": [(32, 16), (1920, 1088), (2, 2)]}, ["NV12 32x16 to 1920x1088"]),
        (CAPTURE, {"RGB3": []}, ["RGB3"]),
        (CAPTURE, {}, []),
    ],
    ids=["a webcam", "a range, several planes", "no sizes", "no formats"],
)
def test_what_a_camera_can_do(drivers, node, has, said):
    drivers.add("video0", "uvcvideo", node, has)
    found = query(str(drivers.dev / "video0"))
    assert found.multiplanar == (node == MULTI_PLANE)
    assert [str(each) for each in formats(found)] == said


def test_a_driver_that_never_comes_to_an_end(drivers, monkeypatch):
    drivers.add("video0", "uvcvideo", CAPTURE, {"YUYV": [(640, 480)]})
    answer = drivers.ioctl

    def endless(opened, request, asked):
        return answer(opened, request, asked if request & 0xFF == 0 else bytes(4) + asked[4:])

    monkeypatch.setattr("edge.sources.v4l2_devices.fcntl.ioctl", endless)
    found = formats(query(str(drivers.dev / "video0")))
    assert len(found) == len(found[0].sizes_wh) == 100


@pytest.fixture
def denied(drivers, monkeypatch):
    """A set of the numbers of nodes that cannot be opened; tests add to it."""
    numbers: set[int] = set()
    opened = os.open

    def refuse(path, flags, *mode):
        if str(path) in {f"{drivers.dev}/video{number}" for number in numbers}:
            raise OSError(16, "Device or resource busy")
        return opened(path, flags, *mode)

    monkeypatch.setattr("edge.sources.v4l2_devices.os.open", refuse)
    monkeypatch.setattr("edge.sources.factory.query_all", lambda: query_all(drivers.dev))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr("edge.sources.factory.detect_platform", Platform)
    return numbers


def test_nodes_that_fail_for_one_reason_are_one_entry(drivers, denied):
    for number in range(4):
        drivers.add(f"video{number}", "uvcvideo", CAPTURE)
    denied.update({0, 2, 3})
    devices, errors = query_all(drivers.dev)
    assert [device.path for device in devices] == [f"{drivers.dev}/video1"]
    name = f"{drivers.dev}/video0 and 2 more"
    reason = "Device or resource busy; a camera that is plugged in is expected"
    assert {name: str(error) for name, error in errors.items()} == {name: f"{name}: {reason}"}


def test_auto_says_why_a_node_could_not_be_opened(drivers, denied):
    drivers.add("video0", "uvcvideo", CAPTURE)
    denied.add(0)
    with (
        open_source("auto", CaptureSettings(), fast=True, demo=False) as camera,
        pytest.raises(CameraError, match=r"auto: no camera answers; .*video0: Device or resource busy"),
    ):
        next(iter(camera))


def test_auto_logs_a_node_that_may_not_be_opened_once_for_each_run(drivers, denied, caplog, monkeypatch):
    """A service looks for a camera for months; what an earlier run logged does not count for the next."""
    monkeypatch.setattr("edge.sources.reconnect.TICK_S", 0.0)
    drivers.add("video0", "uvcvideo", CAPTURE)
    denied.add(0)

    def open_camera():
        return open_source("auto", CaptureSettings(), fast=True, demo=False)

    for _ in range(2):
        caplog.clear()
        with ReconnectingCamera("auto", open_camera, clock=itertools.count().__next__) as camera:
            assert all(frame is None for frame in itertools.islice(camera, 200))
        (record,) = caplog.records
        assert record.levelno == logging.WARNING
        assert "video0: Device or resource busy" in record.getMessage()
