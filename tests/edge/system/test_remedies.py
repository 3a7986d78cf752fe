"""The commands that repair an installation, by system and by Python."""

import os
import platform
import sys
from pathlib import Path

import pytest

from edge.system import remedies
from edge.system.platform import Platform

ROOT = Path(__file__).parents[3]
BOOKWORM = Platform("Raspberry Pi 4 Model B Rev 1.4", "Debian GNU/Linux 12 (bookworm)", "bookworm")
TRIXIE = Platform("Raspberry Pi 5 Model B Rev 1.0", "Debian GNU/Linux 13 (trixie)", "trixie")
JETSON = Platform("NVIDIA Jetson Orin Nano Developer Kit", "Ubuntu 22.04.5 LTS", "jammy", jetson=True)
PI_32 = Platform("Raspberry Pi 3 Model B Rev 1.2", "Raspbian GNU/Linux 12 (bookworm)", "bookworm", bits=32)
PIP = f"{sys.executable} -m pip"
OTHER_NUMPY = "numpy.dtype size changed, may indicate binary incompatibility"
OLD_NUMPY, NEW_NUMPY = "'numpy>=1.24,<2'", "'numpy>=2,<3'"
OLD_OPENCV, NEW_OPENCV = "'opencv-python-headless>=4.10,<4.12'", "'opencv-python-headless>=4.12,<5'"


@pytest.fixture(autouse=True)
def _python_3_11(monkeypatch):
    on_python(monkeypatch, "3.11")


def on_python(monkeypatch, version, machine="aarch64"):
    monkeypatch.setattr(platform, "python_version_tuple", lambda: (*version.split("."), "0"))
    monkeypatch.setattr(platform, "machine", lambda: machine)


@pytest.mark.parametrize(
    ("reason", "system", "way"),
    [
        (OTHER_NUMPY, BOOKWORM, f"`{PIP} install {OLD_NUMPY} {OLD_OPENCV}`"),
        (OTHER_NUMPY, TRIXIE, remedies.remake_environment()),
        ("No module named 'libcamera'", BOOKWORM, "`sudo apt install -y python3-picamera2`"),
        ("No module named 'picamera2'", TRIXIE, "`sudo apt install -y python3-picamera2`"),
    ],
)
def test_picamera2(reason, system, way):
    assert remedies.picamera2(reason, system).startswith(way)


@pytest.mark.parametrize(
    ("reason", "system", "way"),
    [
        ("No module named 'cv2'", PI_32, "`sudo apt install -y python3-opencv python3-numpy opencv-data`"),
        ("No module named 'cv2'", JETSON, "`sudo apt install -y python3-opencv opencv-data`"),
        ("No module named 'cv2'", BOOKWORM, f"`{PIP} install {OLD_OPENCV}`"),
        ("No module named 'numpy'", BOOKWORM, f"`{PIP} install {OLD_NUMPY}`"),
        ("libgthread-2.0.so.0: cannot open shared object file", JETSON, f"`{PIP} uninstall -y opencv-python"),
    ],
)
def test_opencv(reason, system, way):
    assert way in remedies.opencv(ImportError(reason), system)


def test_versions_are_those_for_this_python(monkeypatch):
    assert remedies.install("numpy", "opencv-python-headless") == f"`{PIP} install {OLD_NUMPY} {OLD_OPENCV}`"
    on_python(monkeypatch, "3.13")
    assert remedies.install("numpy", "opencv-python-headless") == f"`{PIP} install {NEW_NUMPY} {NEW_OPENCV}`"


@pytest.mark.parametrize(
    ("version", "machine", "system", "way"),
    [
        ("3.11", "aarch64", BOOKWORM, f"'ai-edge-litert>=2.1,<3' 'ml_dtypes<0.6' {OLD_NUMPY}`"),
        ("3.13", "aarch64", TRIXIE, f"'ai-edge-litert>=2.1,<3' {NEW_NUMPY}`"),
        # The name alone where no requirement applies.
        ("3.13", "riscv64", Platform(), f"ai-edge-litert {NEW_NUMPY}`"),
        ("3.11", "armv7l", PI_32, f"tflite-runtime==2.14.0 {OLD_NUMPY}`"),
    ],
)
def test_a_runtime(monkeypatch, version, machine, system, way):
    on_python(monkeypatch, version, machine)
    assert remedies.runtime(system) == f"`{PIP} install {way}"


def test_there_is_no_runtime_for_32_bits_and_a_new_python(monkeypatch):
    on_python(monkeypatch, "3.13", "armv7l")
    assert remedies.runtime(PI_32).endswith("Python 3.12 or later: write the 64-bit image to the card")


def test_optional_packages():
    assert remedies.paho() == f"`{PIP} install 'paho-mqtt>=2,<3'`"
    assert remedies.prometheus() == f"`{PIP} install 'prometheus-client>=0.16,<1'`"


@pytest.mark.parametrize(("writable", "sudo"), [(False, "sudo "), (True, "")])
def test_pip_is_run_as_the_owner_of_the_environment(monkeypatch, writable, sudo):
    monkeypatch.setattr(sys, "prefix", "/opt/emotiny")
    monkeypatch.setattr(sys, "base_prefix", "/usr")
    monkeypatch.setattr(os, "access", lambda path, mode: writable)
    assert remedies.pip("list") == f"{sudo}{PIP} list"


def test_debian_s_own_python_is_left_alone(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "base_prefix", sys.prefix)
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(tmp_path))
    assert remedies.pip("list").endswith(f"{PIP} list")
    (tmp_path / "EXTERNALLY-MANAGED").touch()
    assert (
        remedies.pip("list") == "python3 -m venv --system-site-packages ~/emotiny && ~/emotiny/bin/pip list"
    )
    # An environment that was made with it is not managed by Debian.
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert remedies.pip("list") == f"{PIP} list"


@pytest.mark.parametrize(
    ("prefix", "way"),
    [
        ("/opt/emotiny", "`sudo rm -rf /opt/emotiny && sudo make install-device` in its source folder"),
        ("/home/me/it/.venv-device", "`rm -r /home/me/it/.venv-device && make -C /home/me/it run`"),
        (
            "/home/me/venv",
            f"`python3 -m venv --system-site-packages ~/emotiny && ~/emotiny/bin/pip install {ROOT}`",
        ),
    ],
)
def test_only_an_environment_that_emotiny_made_is_removed(monkeypatch, prefix, way):
    monkeypatch.setattr(sys, "prefix", prefix)
    assert remedies.remake_environment() == way


@pytest.mark.parametrize("sees", [True, False])
def test_an_environment_that_sees_the_system_s_packages_is_kept(monkeypatch, tmp_path, sees):
    (tmp_path / "pyvenv.cfg").write_text(f"include-system-site-packages = {str(sees).lower()}\n")
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setattr(sys, "base_prefix", "/usr")
    assert (", then `python3 -m venv" in remedies.apt("x")) == (not sees)
    assert remedies.gstreamer().endswith(f"{PIP} uninstall -y opencv-python opencv-python-headless`")


@pytest.mark.parametrize(
    ("system", "way"),
    [
        (BOOKWORM, "64-bit Raspberry Pi OS, Bookworm (3.11) or Trixie (3.13)"),
        (JETSON, "flash JetPack 6, which has 3.10"),
        (Platform(), "make run PYTHON=python3.11"),
    ],
)
def test_a_newer_python(system, way):
    assert way in remedies.python(system)
