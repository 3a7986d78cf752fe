"""Checks of the machine, on folders that stand in for /proc, /sys and /dev, and with a fake systemctl."""

import os
import re

import pytest

from edge.diagnostics import machine
from edge.errors import OutputError
from edge.system.platform import Platform

BOOKWORM = Platform("Raspberry Pi 4 Model B Rev 1.4", "Debian GNU/Linux 12 (bookworm)", "bookworm")
PI_32 = Platform("Raspberry Pi 3 Model B Rev 1.2", "Raspbian GNU/Linux 12 (bookworm)", "bookworm", bits=32)


def test_a_system_of_32_bits_is_named_with_its_limits():
    assert "32 bits: numpy and OpenCV are apt's" in machine.python_and_system(PI_32)
    assert machine.python_and_system(BOOKWORM).endswith("(bookworm), Raspberry Pi 4 Model B Rev 1.4")


@pytest.mark.parametrize(("free", "wrong"), [(119, True), (120, False)])
def test_memory(tmp_path, free, wrong):
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text(
        f"MemTotal: 436512 kB\nMemFree: 1 kB\nMemAvailable:   {free * 1024} kB\nBuffers: 1 kB\n"
    )
    if wrong:
        with pytest.raises(
            OutputError, match=f"{free} MB free; expected 120 MB; fix: `ps aux --sort -rss | head`"
        ):
            machine.memory(tmp_path)
    else:
        assert machine.memory(tmp_path) == f"{free} MB free"


def test_memory_of_a_kernel_that_does_not_report_it(tmp_path):
    assert machine.memory(tmp_path) == "unknown"
    assert re.fullmatch(r"\d+ MB free", machine.memory())


@pytest.mark.parametrize(
    ("bits", "fix"),
    [
        ("50005", "fix: use the board's own power supply"),
        ("4", "fix: a fan, or `--cpu-share 0.5`"),
        ("50000", None),
    ],
)
def test_a_throttled_board(tmp_path, bits, fix):
    firmware = tmp_path / "devices/platform/soc/soc:firmware"
    firmware.mkdir(parents=True)
    (firmware / "get_throttled").write_text(f"{bits}\n")
    if fix is None:
        assert machine.board(tmp_path) == "reports no temperature"
    else:
        with pytest.raises(OutputError) as caught:
            machine.board(tmp_path)
        assert fix in str(caught.value)


PERMISSIONS = """
import sys; from pathlib import Path
from edge.diagnostics.machine import permissions; from edge.system.platform import Platform
try:
    print(permissions(Platform(sys.argv[2]), Path(sys.argv[1])))
except Exception as error:
    print(type(error).__name__, error)
"""


@pytest.fixture
def dev(tmp_path):
    folder = tmp_path / "dev"
    (folder / "dma_heap").mkdir(parents=True)
    for name in ("video0", "video1", "media0", "dma_heap/system"):
        (folder / name).touch()
        if os.geteuid() == 0:
            os.chown(folder / name, 1, 44)
        (folder / name).chmod(0o666)
    return folder


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file to another user")
@pytest.mark.parametrize(
    ("denied", "model", "message"),
    [
        (
            ["video0"],
            "",
            "CameraError {dev}/video0: permission denied: only the group video may open it; fix: ",
        ),
        (["video0", "video1"], "", "CameraError {dev}/video0 and 1 more: permission denied: only the group"),
        (["dma_heap/system"], "Raspberry Pi 5", "CameraError {dev}/dma_heap/system: permission denied: only"),
        (["dma_heap/system"], "", "2 camera devices: "),
        ([], "Raspberry Pi 5", "4 camera devices: "),
    ],
)
def test_permissions(dev, without_rights, denied, model, message):
    for name in denied:
        (dev / name).chmod(0o660)
    done = without_rights("-c", PERMISSIONS, str(dev), model)
    assert done.stdout.startswith(message.format(dev=dev)), done.stderr
    assert ("`sudo usermod -aG video $USER`, then log in again\n" in done.stdout) == message.startswith(
        "CameraError"
    )


def test_permissions_without_a_camera(tmp_path):
    assert machine.permissions(BOOKWORM, tmp_path).startswith("there is no camera device; `emotiny cameras`")


# The service, with a systemctl that prints a given state.


@pytest.fixture
def systemd(tmp_path, monkeypatch):
    def make(state, *, installed=True):
        root = tmp_path / "root"
        (root / "run/systemd/system").mkdir(parents=True)
        (root / "etc/systemd/system").mkdir(parents=True)
        if installed:
            (root / "etc/systemd/system/emotiny.service").touch()
        tool = tmp_path / "bin" / "systemctl"
        tool.parent.mkdir()
        tool.write_text(f'#!/bin/sh\n[ "$*" = "is-active emotiny" ] && echo {state}\nexit 3\n')
        tool.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tool.parent}{os.pathsep}{os.environ['PATH']}")
        return root

    return make


@pytest.mark.parametrize(
    ("state", "installed", "message"),
    [
        ("active", True, "runs; `journalctl -fu emotiny`"),
        (
            "failed",
            True,
            "failed; `sudo systemctl restart emotiny` starts it, `journalctl -eu emotiny` shows why",
        ),
        ("inactive", True, "inactive; `sudo systemctl restart emotiny`"),
        ("inactive", False, "not installed; `sudo make install-device`"),
    ],
)
def test_the_service(systemd, state, installed, message):
    root = systemd(state, installed=installed)
    assert machine.service(root).startswith(message)
    assert machine.service_state(root) == state


def test_without_systemd(tmp_path):
    assert machine.service(tmp_path) == "no systemd here"
