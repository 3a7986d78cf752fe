"""The board and the distribution, by the files of the system."""

import ctypes

import pytest

from edge.system.platform import Platform, detect_platform

PI = Platform("Raspberry Pi 5 Model B Rev 1.0", "Debian GNU/Linux 12 (bookworm)", "bookworm")
JETSON = Platform("NVIDIA Jetson Orin Nano Developer Kit", "Ubuntu 22.04.5 LTS", "jammy", jetson=True)


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
