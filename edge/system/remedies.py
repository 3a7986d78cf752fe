"""Commands that repair an installation; they differ between systems and between versions of Python.

Nothing here imports OpenCV or numpy, which may be what is missing.
"""

from __future__ import annotations

import os
import platform
import shlex
import sys
import sysconfig
from pathlib import Path

from edge.system.platform import Platform
from edge.system.requirements import ROOT, requirement
from edge.version import __version__

# The environments that systemd/install.sh and the Makefile make.
SERVICE_PREFIX = Path("/opt/emotiny")
_DEVICE_FOLDER = ".venv-device"
# Named by its file: emotiny is in no package index, where a package of that name would be somebody else's.
_WHEEL = f"emotiny-{__version__}-py3-none-any.whl"
_REINSTALL_SERVICE = "`sudo rm -rf /opt/emotiny && sudo make install-device` in its source folder"


def python(system: Platform) -> str:
    """Returns the message for a Python before 3.10, with the way to a newer one."""
    if system.jetson:
        way = "flash JetPack 6, which has 3.10"
    elif system.pi:
        way = "write the 64-bit Raspberry Pi OS, Bookworm (3.11) or Trixie (3.13), to the card"
    else:
        way = "make the environment with a newer one, such as `make run PYTHON=python3.11`"
    return f"Python {platform.python_version()} is too old, 3.10 or later is expected; fix: {way}"


def pip(arguments: str) -> str:
    """Returns the command that runs pip for this Python, without quotes around it.

    Args:
        arguments: The arguments of pip, such as "install 'numpy<2'".
    """
    managed = Path(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED").exists()
    if sys.prefix == sys.base_prefix and managed:
        # Debian's own Python refuses; an environment that sees Debian's packages does not.
        return f"python3 -m venv --system-site-packages ~/emotiny && ~/emotiny/bin/pip {arguments}"
    sudo = "" if os.access(sys.prefix, os.W_OK) else "sudo "
    return f"{sudo}{shlex.quote(sys.executable)} -m pip {arguments}"


def wanted(*packages: str, extra: str = "") -> str:
    """Returns arguments for `pip install`: the packages with the versions that this Python needs.

    Args:
        packages: Names of packages. The first one is always named; others are left out if they are not
            required here.
        extra: The extra that requires them; empty for what every installation requires.
    """
    found = [requirement(name, extra) or requirement(name) for name in packages]
    return " ".join(shlex.quote(each) for each in [found[0] or packages[0], *found[1:]] if each)


def install(*packages: str, extra: str = "") -> str:
    """Returns the command that installs packages with pip; the arguments are those of `wanted`."""
    return f"`{pip(f'install {wanted(*packages, extra=extra)}')}`"


def remake_environment() -> str:
    """Returns the commands for a new environment that sees the system's packages.

    An environment that emotiny did not make is left alone; the commands make another one.
    """
    prefix = Path(sys.prefix)
    if prefix == SERVICE_PREFIX:
        return _REINSTALL_SERVICE
    if prefix.name == _DEVICE_FOLDER:
        folder = shlex.quote(str(prefix.parent))
        return f"`rm -r {shlex.quote(str(prefix))} && make -C {folder} run`"
    source = shlex.quote(str(ROOT)) if (ROOT / "setup.cfg").exists() else _WHEEL
    return f"`python3 -m venv --system-site-packages ~/emotiny && ~/emotiny/bin/pip install {source}`"


def apt(packages: str) -> str:
    """Returns the command that installs the system's packages, and makes this environment see them."""
    try:
        sees = "include-system-site-packages = true" in Path(sys.prefix, "pyvenv.cfg").read_text()
    except OSError:  # not an environment, so the system's Python, which sees what apt installs
        sees = sys.prefix == sys.base_prefix
    return f"`sudo apt install -y {packages}`" + ("" if sees else f", then {remake_environment()}")


def gstreamer() -> str:
    """Returns the commands for an OpenCV with GStreamer: the system's, which pip's would hide."""
    hiding = "opencv-python opencv-python-headless"
    return f"{apt('python3-opencv opencv-data')}, then `{pip(f'uninstall -y {hiding}')}`"


def reinstall_opencv() -> str:
    """Returns the commands that reinstall OpenCV.

    All its packages share one folder, so that the others are uninstalled first.
    """
    others = "opencv-python opencv-contrib-python opencv-contrib-python-headless"
    own = wanted("opencv-python-headless")
    return f"`{pip(f'uninstall -y {others}')} && {pip(f'install --force-reinstall --no-deps {own}')}`"


def opencv(error: ImportError, system: Platform) -> str:
    """Returns the way to an OpenCV that can be imported.

    Args:
        error: What the import of OpenCV raised.
        system: This machine.
    """
    reason = str(error)
    if system.bits == 32:
        return (
            "there is no wheel for 32 bits: `sudo apt install -y python3-opencv python3-numpy opencv-data`, "
            f"then {remake_environment()}; or write the 64-bit image to the card"
        )
    if system.jetson and "No module named 'cv2'" in reason:
        return apt("python3-opencv opencv-data")  # which has GStreamer, for the board's own camera
    if "No module named 'numpy'" in reason:
        return install("numpy")
    if "No module named" in reason:
        return install("opencv-python-headless")
    if other_numpy(reason):
        return install("numpy", "opencv-python-headless")
    # Mostly libGL.so.1: opencv-python opens windows, for which a system without a desktop lacks libraries.
    return reinstall_opencv()


def other_numpy(reason: str) -> bool:
    """Returns whether an import failed because a package was built for another version of numpy."""
    return any(part in reason for part in ("_ARRAY_API", "multiarray", "dtype size changed", "numpy.core"))


def picamera2(reason: str, system: Platform) -> str:
    """Returns the way to a picamera2 that can be imported.

    Args:
        reason: The text of the error that the import raised.
        system: This machine.
    """
    if other_numpy(reason) and system.release == "bookworm":
        # Bookworm's simplejpeg and picamera2 were built for its numpy 1.24.
        return install("numpy", "opencv-python-headless")
    if other_numpy(reason):
        return remake_environment()
    return apt("python3-picamera2")


def runtime(system: Platform) -> str:
    """Returns the way to a TFLite runtime that works."""
    if system.bits == 64:
        # ml_dtypes and numpy are named because LiteRT alone would bring versions that do not fit OpenCV.
        return install("ai-edge-litert", "ml_dtypes", "numpy")
    if requirement("tflite-runtime", "tflite"):
        return install("tflite-runtime", "numpy", extra="tflite")
    return "there is none for 32 bits and Python 3.12 or later: write the 64-bit image to the card"


def paho() -> str:
    """Returns the command that installs the MQTT client."""
    return install("paho-mqtt")


def prometheus() -> str:
    """Returns the command that installs the client library of Prometheus."""
    return install("prometheus-client", extra="prometheus")


def package() -> str:
    """Returns the command that restores the files of this package."""
    if (ROOT / ".git").exists():
        return f"`git -C {shlex.quote(str(ROOT))} checkout -- models edge`"
    if Path(sys.prefix) == SERVICE_PREFIX:
        return "`sudo make install-device` in its source folder"
    return f"`{pip(f'install --force-reinstall --no-deps {_WHEEL}')}`"


def cascade(*, from_wheel: bool) -> str:
    """Returns the command that installs the missing Haar cascades of OpenCV.

    Args:
        from_wheel: Whether OpenCV is pip's; Debian's has the cascades in a package of their own.
    """
    return reinstall_opencv() if from_wheel else "`sudo apt install -y opencv-data`"
