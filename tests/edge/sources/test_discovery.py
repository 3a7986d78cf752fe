"""Which cameras there are: V4L2's answers as its drivers give them, picamera2's from a stub of its own."""

import ctypes
import importlib.util
import itertools
import logging
import os
import shutil
import struct
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from edge.cli.main import main
from edge.errors import CameraError
from edge.sources.camera import CaptureSettings
from edge.sources.discovery import find_cameras, no_camera_error
from edge.sources.factory import open_source
from edge.sources.picamera import ListedCamera, list_cameras
from edge.sources.reconnect import ReconnectingCamera
from edge.sources.v4l2_devices import V4L2Device, formats, query, query_all, stable_link
from edge.system.permissions import explain_denied
from edge.system.platform import Platform, detect_platform

CAPTURE, MULTI_PLANE, OUTPUT, META, M2M = 0x1, 0x1000, 0x2, 0x800000, 0x8000
STREAMING, HAS_DEVICE_CAPS = 0x4000000, 0x80000000
PI = Platform("Raspberry Pi 5 Model B Rev 1.0", "Debian GNU/Linux 12 (bookworm)", "bookworm")
JETSON = Platform("NVIDIA Jetson Orin Nano Developer Kit", "Ubuntu 22.04.5 LTS", "jammy", jetson=True)


def capability(driver: str, device: int, node: int, card: str = "card") -> bytes:
    return struct.pack("16s32s32s6I", driver.encode(), card.encode(), b"bus", 0x60100, device, node, 0, 0, 0)


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


class Drivers:
    """Kernel drivers behind plain files: they answer the three questions that are asked, as ioctl does.

    Attributes:
        answers: by a node's name: its capability, and {format: sizes}, of which three pairs are a range.
    """

    def __init__(self, dev: Path) -> None:
        self.dev = dev
        self.answers: dict[str, tuple[bytes, dict[str, list[tuple[int, int]]]]] = {}

    def add(self, name, driver, node, has=None, card="HD Webcam"):
        self.answers[name] = (capability(driver, HAS_DEVICE_CAPS | node, node, card), has or {})
        (self.dev / name).touch()

    def ioctl(self, opened, request, asked):
        says, has = self.answers[Path(f"/proc/self/fd/{opened}").resolve().name]
        kind, number, size = request >> 30, request & 0xFF, request >> 16 & 0x3FFF
        assert (kind, request >> 8 & 0xFF, size) == (2 if number == 0 else 3, ord("V"), len(asked))
        if number == 0:
            return says
        if number == 2:
            index, planes = struct.unpack_from("2I", asked)
            expected = 1 if struct.unpack_from("I", says, 88)[0] & CAPTURE else 9
            if planes != expected or index >= len(has):
                raise OSError(22, "Invalid argument")
            return struct.pack(
                "3I32s4s4I", index, planes, 0, b"what it is", list(has)[index].encode("latin-1"), *[0] * 4
            )
        assert number == 74
        index, fourcc = struct.unpack_from("I4s", asked)
        sizes = has[fourcc.decode("latin-1")]
        if not sizes:
            raise OSError(25, "Inappropriate ioctl for device")
        if len(sizes) == 3:
            (low, high), (least, most), (step, step_y) = (
                (sizes[0][0], sizes[1][0]),
                (sizes[0][1], sizes[1][1]),
                sizes[2],
            )
            return struct.pack("I4s9I", index, fourcc, 3, low, high, step, least, most, step_y, 0, 0)
        if index >= len(sizes):
            raise OSError(22, "Invalid argument")
        return struct.pack("I4s9I", index, fourcc, 1, *sizes[index], *[0] * 6)


@pytest.fixture
def drivers(tmp_path, monkeypatch) -> Drivers:
    found = Drivers(tmp_path)
    monkeypatch.setattr("edge.sources.v4l2_devices.fcntl.ioctl", found.ioctl)
    return found


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


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["NV12", "MJPG", "YUYV", "H264"], "MJPG 64x48, YUYV 64x48, and 2 more"),
        (["NV12", "RGB3", "BGR3"], "NV12 64x48, RGB3 64x48, BGR3 64x48"),
        (["NV12", "RGB3", "BGR3", "Y16\xa0"], "NV12 64x48, RGB3 64x48, BGR3 64x48, and 1 more"),
    ],
)
def test_of_many_formats_those_that_count_are_told(drivers, names, said):
    drivers.add("video0", "uvcvideo", CAPTURE, {name: [(64, 48)] for name in names})
    assert lines(Platform(), drivers) == [f"video0: HD Webcam (uvcvideo): {said}"]
    assert [each.name for each in formats(query(str(drivers.dev / "video0")))] == [
        name.replace("\xa0", " ").strip() for name in names
    ]


@pytest.mark.parametrize("folders", [["by-id", "by-path"], ["by-path"], []])
def test_the_name_that_stays(drivers, folders):
    drivers.add("video2", "uvcvideo", CAPTURE)
    drivers.add("video3", "uvcvideo", CAPTURE)
    for folder in folders:
        (drivers.dev / "v4l" / folder).mkdir(parents=True)
        for number in (3, 2):
            (drivers.dev / "v4l" / folder / f"usb-{number}-video-index0").symlink_to(f"../../video{number}")
    expected = f"{drivers.dev}/v4l/{folders[0]}/usb-2-video-index0" if folders else ""
    assert stable_link(str(drivers.dev / "video2"), drivers.dev) == expected
    (found, _) = find_cameras(Platform(), drivers.dev)
    assert found.source == (expected or str(drivers.dev / "video2"))
    assert found.text == (f"{drivers.dev}/video2: " if expected else "") + "HD Webcam (uvcvideo)"


def lines(system, drivers):
    found = find_cameras(system, drivers.dev)
    said = [f"{'wrong ' if each.error else ''}{each.source}: {each.text}" for each in found]
    return [line.replace(f"{drivers.dev}/", "") for line in said]


def test_what_is_no_camera_is_left_out_and_says_why(drivers, caplog):
    drivers.add("video10", "bcm2835-codec", M2M, card="decoder")
    drivers.add("video2", "uvcvideo", CAPTURE, {"MJPG": [(640, 480)]})
    drivers.add("video3", "uvcvideo", META)
    with caplog.at_level(logging.DEBUG):
        assert lines(PI, drivers) == ["video2: HD Webcam (uvcvideo): MJPG 640x480"]
    assert "video10: left out: raw pixels of a sensor, or an image processor (decoder, bcm2835" in caplog.text
    assert "video3: left out: metadata or an output" in caplog.text


@pytest.fixture
def denied(drivers, monkeypatch):
    """The numbers of the nodes that may not be opened."""
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


def test_a_board_s_own_camera_without_picamera2(drivers):
    drivers.add("video0", "rp1-cfe", CAPTURE)
    drivers.add("video1", "rp1-cfe", CAPTURE)
    if list_cameras() is not None:
        pytest.skip("this machine has picamera2")
    (line,) = lines(PI, drivers)
    assert line.startswith(
        "wrong picamera2://0: the board's own camera needs picamera2; fix: `sudo apt install -y"
    )


STUB = """
class Picamera2:
    @staticmethod
    def global_camera_info():
        return [
            {"Model": "imx708_wide", "Id": "/base/axi/pcie@120000/rp1/i2c@88000/imx708@1a", "Num": 1},
            {"Model": "ov5647", "Id": "/base/axi/pcie@120000/rp1/i2c@80000/ov5647@36", "Num": 0},
            {"Model": "HD Webcam", "Id": "/base/axi/pcie@120000/rp1/usb@300000-2:1.0-046d:0825", "Num": 2},
        ]
print("libcamera says something first")
"""


@pytest.fixture
def picamera2(tmp_path, monkeypatch):
    """Writes a package of that name, the first that is found, in this process and in those that it starts."""
    folder = tmp_path / "stubs"

    def write(text):
        (folder / "picamera2").mkdir(parents=True, exist_ok=True)
        (folder / "picamera2" / "__init__.py").write_text(text)
        monkeypatch.setenv("PYTHONPATH", f"{folder}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
        monkeypatch.syspath_prepend(str(folder))

    return write


def test_what_libcamera_lists_is_numbered_as_picamera2_opens_it(drivers, picamera2):
    picamera2(STUB)
    assert list_cameras() == (
        ListedCamera(0, "imx708_wide", usb=False),
        ListedCamera(1, "ov5647", usb=False),
        ListedCamera(2, "HD Webcam", usb=True),
    )
    drivers.add("video0", "rp1-cfe", CAPTURE)
    drivers.add("video8", "uvcvideo", CAPTURE)
    assert lines(PI, drivers) == [
        "picamera2://0: imx708_wide, through libcamera",
        "picamera2://1: ov5647, through libcamera",
        "video8: HD Webcam (uvcvideo)",
    ]
    assert "picamera2" not in sys.modules


def test_a_picamera2_that_takes_its_process_along_leaves_the_others(drivers, picamera2):
    picamera2("import os; os.abort()")
    drivers.add("video8", "uvcvideo", CAPTURE)
    broken, fine = lines(PI, drivers)
    assert broken.startswith("wrong picamera2: picamera2 cannot be imported (exit code -6); `emotiny check`")
    assert fine == "video8: HD Webcam (uvcvideo)"


@pytest.mark.parametrize("gstreamer", [True, False])
def test_a_jetson_s_cameras_are_counted_by_their_nodes(drivers, monkeypatch, gstreamer):
    monkeypatch.setattr("cv2.videoio_registry.hasBackend", lambda backend: gstreamer)
    drivers.add("video0", "tegra-video", CAPTURE, card="vi-output, imx219 9-0010")
    drivers.add("video1", "uvcvideo", CAPTURE)
    drivers.add("video2", "tegra-video", CAPTURE, card="vi-output, imx219 10-0010")
    found = lines(JETSON, drivers)
    assert found[2] == "video1: HD Webcam (uvcvideo)"
    if gstreamer:
        assert found[1] == "csi://1: vi-output, imx219 10-0010, through GStreamer"
    else:
        assert found[1].startswith(
            "wrong csi://1: vi-output, imx219 10-0010: this OpenCV is built without GSt"
        )
        assert "fix: `sudo apt install -y python3-opencv opencv-data`" in found[1]


def test_a_node_that_goes_while_it_is_asked(drivers, monkeypatch):
    drivers.add("video0", "uvcvideo", CAPTURE)

    def unplug(opened, request, asked):
        (drivers.dev / "video0").unlink()
        return drivers.ioctl(opened, request, asked)

    drivers.answers["video0 (deleted)"] = drivers.answers["video0"]
    monkeypatch.setattr("edge.sources.v4l2_devices.fcntl.ioctl", unplug)
    assert lines(Platform(), drivers)[0].startswith("wrong video0: no such device")


# Nodes that may not be opened.


def node_of(folder, group, mode):
    """A file of another user and of a group, by number."""
    node = folder / "video0"
    node.touch()
    os.chown(node, 1, group)
    node.chmod(mode)
    return node


VIDEO = 44  # on Debian and Ubuntu
ASK = """
import sys; from pathlib import Path
from edge.sources.discovery import find_cameras; from edge.system.platform import Platform
for found in find_cameras(Platform(), Path(sys.argv[1])):
    print(type(found.error).__name__, found.source, found.text)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file to another user")
@pytest.mark.parametrize(
    ("group", "mode", "said"),
    [
        (
            VIDEO,
            0o660,
            "permission denied: only the group video may open it; fix: `sudo usermod -aG video $USER`",
        ),
        (
            0,
            0o600,
            "permission denied: its mode is -rw------- daemon:root, expected crw-rw---- root:video; fix: ",
        ),
        (
            VIDEO,
            0o640,
            "permission denied: its mode is -rw-r----- daemon:video, expected crw-rw---- root:video;",
        ),
        (
            65000,
            0o660,
            "permission denied: only the group 65000 may open it; fix: `sudo usermod -aG 65000 $USER`",
        ),
    ],
)
def test_a_node_of_others_says_how_to_get_it(tmp_path, without_rights, group, mode, said):
    node = node_of(tmp_path, group, mode)
    done = without_rights("-c", ASK, str(tmp_path))
    assert done.stdout.startswith(f"CameraError {node} {said}"), done.stderr
    shutil.copy2(node, tmp_path / "video1")
    os.chown(tmp_path / "video1", 1, group)
    assert without_rights("-c", ASK, str(tmp_path)).stdout == done.stdout.replace(
        f"{node} ", f"{node} and 1 more ", 1
    )
    assert done.stdout.count("\n") == 1


@pytest.mark.parametrize(
    ("has", "is_of", "said"),
    [
        ([7], [7], "this user is in its group 65007 (-rw-rw----"),
        ([], [7], "after the last login; fix: log in again, or `newgrp 65007`"),
        ([], [], "fix: `sudo usermod -aG 65007 $USER`, then log in again"),
    ],
    ids=["a container", "just added", "not of it"],
)
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file to another user")
def test_why_a_group_s_node_is_kept_from_a_user(tmp_path, monkeypatch, has, is_of, said):
    node = node_of(tmp_path, 65007, 0o660)
    monkeypatch.setattr(os, "getgroups", lambda: [65000 + number for number in has])
    monkeypatch.setattr(os, "getgrouplist", lambda user, group: [65000 + number for number in is_of])
    assert said in explain_denied(node)


# The command.


@pytest.mark.parametrize(
    ("system", "inside", "outside"),
    [
        (
            PI,
            ["lsusb", "rpicam-hello --list-cameras", "ribbon", "=1 in /boot/firmware/config.txt"],
            "jetson-io",
        ),
        (replace(PI, release="bullseye"), ["camera_auto_detect=1 in /boot/config.txt"], "firmware"),
        (JETSON, ["lsusb", "sudo /opt/nvidia/jetson-io/jetson-io.py"], "rpicam"),
        (Platform(), ["lsusb", "rpicam-hello", "jetson-io", "--source demo"], "\n"),
    ],
)
def test_where_there_is_none_it_says_where_to_look(system, inside, outside):
    said = str(no_camera_error(system))
    assert said.startswith("no camera found. USB: `lsusb`")
    assert all(part in said for part in inside)
    assert outside not in said


def test_the_command_without_a_camera(capsys, monkeypatch):
    monkeypatch.setattr("edge.sources.discovery.find_cameras", lambda system: iter(()))
    assert main(["cameras"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("emotiny: error: no camera found. USB: ")
    assert err.count("\n") == 1


def test_the_command_with_cameras(capsys, drivers, monkeypatch):
    drivers.add("video0", "uvcvideo", CAPTURE, {"YUYV": [(640, 480)]})
    monkeypatch.setattr(
        "edge.sources.discovery.find_cameras", lambda system: find_cameras(system, drivers.dev)
    )
    assert main(["cameras"]) == 0
    assert capsys.readouterr().out.endswith(
        f"--source {drivers.dev}/video0  HD Webcam (uvcvideo): YUYV 640x480\n"
    )


def test_this_system():
    system = detect_platform()
    assert system.bits == 8 * ctypes.sizeof(ctypes.c_void_p)
    assert system.release == "" or f"({system.release})" in system.name or system.name.startswith("Ubuntu")


@pytest.mark.parametrize("system", [PI, JETSON, Platform("", "", "")], ids=["Pi", "Jetson", "nothing"])
def test_a_system_by_its_files(tmp_path, system):
    assert detect_platform(tmp_path) == Platform()
    tree = tmp_path / "proc" / "device-tree"
    tree.mkdir(parents=True)
    (tmp_path / "etc").mkdir()
    quote = '"' if system.pi else ""
    (tmp_path / "etc" / "os-release").write_text(
        f'PRETTY_NAME="{system.name}"\nVERSION_CODENAME={quote}{system.release}{quote}\nID=debian\n'
    )
    (tree / "model").write_bytes(system.model.encode() + b"\0")
    kind = b"nvidia,p3768\0nvidia,tegra234\0" if system.jetson else b"raspberrypi,5-model-b\0brcm,bcm2712\0"
    (tree / "compatible").write_bytes(kind)
    assert detect_platform(tmp_path) == system
    assert detect_platform(tmp_path).pi == (system is PI)
