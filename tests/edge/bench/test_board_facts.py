"""What a report says about a board, and what it must not say."""

import os
from pathlib import Path

import pytest

from edge.bench import board_facts
from edge.diagnostics.source_probe import SourceInfo
from edge.errors import CameraError, MissingDependencyError
from edge.sources.discovery import DiscoveredCamera
from edge.system.platform import Platform

PI = Platform("Raspberry Pi 4 Model B Rev 1.4", "Debian GNU/Linux 12 (bookworm)", "bookworm")
# As udev makes it, from a serial number.
BY_ID = "/dev/v4l/by-id/usb-Maker_Cam_SN0042-video-index0"
CPUINFO = """\
processor\t: 0
CPU implementer\t: 0x41
CPU part\t: 0xd08

processor\t: 1
CPU implementer\t: 0x41
CPU part\t: 0xd08

Revision\t: c03114
Serial\t\t: 10000000abcdef12
Model\t\t: Raspberry Pi 4 Model B Rev 1.4
"""


def write_files(root: Path, **files: str) -> Path:
    """Writes files below a root; in their names, __ stands for a slash."""
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return root


@pytest.fixture
def pi_root(tmp_path):
    return write_files(
        tmp_path,
        proc__cpuinfo=CPUINFO,
        proc__meminfo="MemTotal:        3883256 kB\nMemFree:          100000 kB\nMemAvailable:    3174400 kB",
        sys__devices__system__cpu__cpufreq__policy0__scaling_governor="ondemand",
        sys__devices__system__cpu__cpufreq__policy0__cpuinfo_min_freq="600000",
        sys__devices__system__cpu__cpufreq__policy0__scaling_max_freq="1800000",
    )


def test_a_raspberry_pi_is_described_and_not_identified(pi_root):
    facts = board_facts.collect_facts(PI, pi_root)
    assert facts["board"] == PI.model
    assert facts["system"].startswith("Debian GNU/Linux 12 (bookworm), Linux ")
    assert facts["processor"] == f"{os.cpu_count()} x Cortex-A72, ondemand, 600 to 1800 MHz"
    assert facts["memory"] == "3792 MB, 3100 free"
    assert "abcdef12" not in " ".join(facts.values())


@pytest.mark.parametrize(
    ("cpuinfo", "name"),
    [
        ("model name\t: AMD EPYC\n\nmodel name\t: AMD EPYC", "AMD EPYC"),
        ("CPU part\t: 0xd03\n\nCPU part\t: 0xd0b", "Cortex-A53 and Cortex-A76"),
        ("CPU part\t: 0xfff", "0xfff"),
    ],
)
def test_processors_are_named(tmp_path, cpuinfo, name):
    root = write_files(tmp_path, proc__cpuinfo=cpuinfo)
    assert board_facts.processor(root) == f"{os.cpu_count()} x {name}"


def test_what_the_system_does_not_tell_is_unknown(tmp_path):
    assert board_facts.memory(tmp_path) == "unknown"
    assert board_facts.processor(tmp_path) == f"{os.cpu_count()} x {os.uname().machine}"
    assert board_facts.board_name(Platform()) == f"no board: {os.uname().machine}"


def test_cameras_are_named_by_model_and_not_by_serial_number(monkeypatch):
    error = MissingDependencyError("cannot import name 'x' from 'numpy' (/home/anna/numpy.py)")
    found = [
        DiscoveredCamera(BY_ID, "/dev/video0: Cam (uvcvideo): YUYV 640x480"),
        DiscoveredCamera("picamera2", str(error), error),
    ]
    monkeypatch.setattr(board_facts, "find_cameras", lambda system: iter(found))
    assert board_facts.cameras(PI) == "/dev/video0: Cam (uvcvideo): YUYV 640x480; picamera2 cannot be used"
    found.clear()
    assert board_facts.cameras(PI) == "none"


def test_the_first_camera_is_described_by_size_and_rate(monkeypatch):
    info = SourceInfo(BY_ID, (640, 480), 29.97)
    monkeypatch.setattr(board_facts, "probe_source", lambda settings, stop: info)
    assert board_facts.first_camera() == "640x480, 30.0 frames a second"


def test_why_no_camera_can_be_opened_is_printed_and_not_reported(monkeypatch, capsys):
    def fail(settings, stop):
        assert settings.source == "auto"
        raise CameraError("/home/anna: no")

    monkeypatch.setattr(board_facts, "probe_source", fail)
    assert board_facts.first_camera() == "no camera can be opened"
    captured = capsys.readouterr()
    assert "/home/anna: no" in captured.err
    assert captured.out == ""
