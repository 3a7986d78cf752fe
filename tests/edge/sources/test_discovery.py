"""Cameras that are found through drivers of V4L2, and through a stub of picamera2."""

import logging
import os
import shutil
import sys
from dataclasses import replace

import pytest

from edge.cli.main import main
from edge.sources.discovery import find_cameras, no_camera_error
from edge.sources.picamera import ListedCamera, list_cameras
from edge.sources.v4l2_devices import formats, paths, query, stable_link
from edge.system.platform import Platform
from tests.support.v4l2 import CAPTURE, M2M, META

PI = Platform("Raspberry Pi 5 Model B Rev 1.0", "Debian GNU/Linux 12 (bookworm)", "bookworm")
JETSON = Platform("NVIDIA Jetson Orin Nano Developer Kit", "Ubuntu 22.04.5 LTS", "jammy", jetson=True)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["NV12", "MJPG", "YUYV", "H264"], "MJPG 64x48, YUYV 64x48, and 2 more"),
        (["NV12", "RGB3", "BGR3"], "NV12 64x48, RGB3 64x48, BGR3 64x48"),
        (["NV12", "RGB3", "BGR3", "Y16\xa0"], "NV12 64x48, RGB3 64x48, BGR3 64x48, and 1 more"),
    ],
)
def test_of_many_formats_only_the_useful_ones_are_listed(drivers, names, said):
    drivers.add("video0", "uvcvideo", CAPTURE, {name: [(64, 48)] for name in names})
    assert lines(Platform(), drivers) == [f"video0: HD Webcam (uvcvideo): {said}"]
    assert [each.name for each in formats(query(str(drivers.dev / "video0")))] == [
        name.replace("\xa0", " ").strip() for name in names
    ]


def test_a_link_whose_name_is_no_number_s_is_left_out(drivers):
    drivers.add("video0", "uvcvideo", CAPTURE)
    (drivers.dev / "video0_front").symlink_to("video0")
    assert paths(drivers.dev) == [str(drivers.dev / "video0")]
    assert len(list(find_cameras(Platform(), drivers.dev))) == 1


@pytest.mark.parametrize("folders", [["by-id", "by-path"], ["by-path"], []])
def test_a_stable_link_is_preferred_to_the_number_of_a_node(drivers, folders):
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


def test_a_device_that_is_no_camera_is_left_out_and_the_log_says_why(drivers, caplog):
    drivers.add("video10", "bcm2835-codec", M2M, card="decoder")
    drivers.add("video2", "uvcvideo", CAPTURE, {"MJPG": [(640, 480)]})
    drivers.add("video3", "uvcvideo", META)
    with caplog.at_level(logging.DEBUG):
        assert lines(PI, drivers) == ["video2: HD Webcam (uvcvideo): MJPG 640x480"]
    assert "video10: left out: raw pixels of a sensor, or an image processor (decoder, bcm2835" in caplog.text
    assert "video3: left out: metadata or an output" in caplog.text


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
    """Writes a package picamera2 that this process and its children find first."""
    folder = tmp_path / "stubs"

    def write(text):
        (folder / "picamera2").mkdir(parents=True, exist_ok=True)
        (folder / "picamera2" / "__init__.py").write_text(text)
        monkeypatch.setenv("PYTHONPATH", f"{folder}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
        monkeypatch.syspath_prepend(str(folder))

    return write


def test_cameras_of_libcamera_are_numbered_as_picamera2_opens_them(drivers, picamera2):
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


def test_a_picamera2_that_crashes_leaves_the_other_cameras(drivers, picamera2):
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


def test_a_node_that_disappears_while_it_is_queried(drivers, monkeypatch):
    drivers.add("video0", "uvcvideo", CAPTURE)

    def unplug(opened, request, asked):
        (drivers.dev / "video0").unlink()
        return drivers.ioctl(opened, request, asked)

    drivers.answers["video0 (deleted)"] = drivers.answers["video0"]
    monkeypatch.setattr("edge.sources.v4l2_devices.fcntl.ioctl", unplug)
    assert lines(Platform(), drivers)[0].startswith("wrong video0: no such device")


def node_of(folder, group, mode):
    """Makes a file that belongs to another user and to the group of a number."""
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
def test_a_node_that_this_user_may_not_open_comes_with_the_fix(tmp_path, without_rights, group, mode, said):
    node = node_of(tmp_path, group, mode)
    done = without_rights("-c", ASK, str(tmp_path))
    assert done.stdout.startswith(f"CameraError {node} {said}"), done.stderr
    shutil.copy2(node, tmp_path / "video1")
    os.chown(tmp_path / "video1", 1, group)
    assert without_rights("-c", ASK, str(tmp_path)).stdout == done.stdout.replace(
        f"{node} ", f"{node} and 1 more ", 1
    )
    assert done.stdout.count("\n") == 1


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
def test_the_error_without_a_camera_says_what_to_check(system, inside, outside):
    said = str(no_camera_error(system))
    assert said.startswith("no camera found. USB: `lsusb`")
    assert all(part in said for part in inside)
    assert outside not in said


def test_the_command_without_a_camera(capsys, monkeypatch):
    monkeypatch.setattr("edge.cli.cameras.find_cameras", lambda system: iter(()))
    assert main(["cameras"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("emotiny: error: no camera found. USB: ")
    assert err.count("\n") == 1


def test_the_command_with_cameras(capsys, drivers, monkeypatch):
    drivers.add("video0", "uvcvideo", CAPTURE, {"YUYV": [(640, 480)]})
    monkeypatch.setattr("edge.cli.cameras.find_cameras", lambda system: find_cameras(system, drivers.dev))
    assert main(["cameras"]) == 0
    assert capsys.readouterr().out.endswith(
        f"--source {drivers.dev}/video0  HD Webcam (uvcvideo): YUYV 640x480\n"
    )
