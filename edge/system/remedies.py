"""The commands that mend an installation; they differ between systems and between Pythons.

Nothing here imports OpenCV: it is the first thing that may be missing.
"""

from __future__ import annotations

import os
import platform
import shlex
import sys
import sysconfig
from pathlib import Path

from edge.system.platform import Platform
from edge.version import __version__

# As in setup.cfg, and for its reasons.
_NEW = sys.version_info >= (3, 12)
OPENCV = f"'opencv-python-headless{'>=4.12,<5' if _NEW else '>=4.10,<4.12'}'"
NUMPY = f"'numpy{'>=2' if _NEW else '>=1.24,<2'}'"
PROMETHEUS = "install 'emotiny[prometheus]'"
# What systemd/install.sh and the Makefile make.
SERVICE_PREFIX = Path("/opt/emotiny")
_DEVICE_FOLDER = ".venv-device"
# Of the source tree, or of what was installed.
_ROOT = Path(__file__).parents[2]
# By its file's name, since no index has it: what one may have under that name would be somebody else's.
_WHEEL = f"emotiny-{__version__}-py3-none-any.whl"
_SERVICE_ANEW = "`sudo rm -rf /opt/emotiny && sudo make install-device` in its source folder"


def python(system: Platform) -> str:
    """What is wrong with a Python before 3.10."""
    if system.jetson:
        way = "flash JetPack 6, which has 3.10"
    elif system.pi:
        way = "write the 64-bit Raspberry Pi OS, Bookworm (3.11) or Trixie (3.13), to the card"
    else:
        way = "make the environment with a newer one, such as `make run PYTHON=python3.11`"
    return f"Python {platform.python_version()} is too old, 3.10 or later is expected; fix: {way}"


def pip(what: str) -> str:
    """A command of pip's for this very Python, such as `install 'numpy<2'`."""
    managed = Path(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED").exists()
    if sys.prefix == sys.base_prefix and managed:
        # Debian's own Python refuses; an environment that sees its packages does not.
        return f"python3 -m venv --system-site-packages ~/emotiny && ~/emotiny/bin/pip {what}"
    sudo = "" if os.access(sys.prefix, os.W_OK) else "sudo "
    return f"{sudo}{shlex.quote(sys.executable)} -m pip {what}"


def environment_anew() -> str:
    """Makes an environment that sees the system's packages; one of somebody else's making is left alone."""
    prefix = Path(sys.prefix)
    if prefix == SERVICE_PREFIX:
        return _SERVICE_ANEW
    if prefix.name == _DEVICE_FOLDER:
        folder = shlex.quote(str(prefix.parent))
        return f"`rm -r {shlex.quote(str(prefix))} && make -C {folder} run`"
    source = shlex.quote(str(_ROOT)) if (_ROOT / "setup.cfg").exists() else _WHEEL
    return f"`python3 -m venv --system-site-packages ~/emotiny && ~/emotiny/bin/pip install {source}`"


def apt(packages: str) -> str:
    """Packages of the system, and an environment that sees them."""
    try:
        sees = "include-system-site-packages = true" in Path(sys.prefix, "pyvenv.cfg").read_text()
    except OSError:  # no environment, so what apt installs is seen
        sees = sys.prefix == sys.base_prefix
    return f"`sudo apt install -y {packages}`" + ("" if sees else f", then {environment_anew()}")


def gstreamer() -> str:
    """Of an OpenCV without GStreamer: pip's hides the system's, which has it."""
    hides = "opencv-python opencv-python-headless"
    return f"{apt('python3-opencv opencv-data')}, then `{pip(f'uninstall -y {hides}')}`"


def opencv_anew() -> str:
    """OpenCV as it must be; all its packages share one folder, so that the others go first."""
    others = "opencv-python opencv-contrib-python opencv-contrib-python-headless"
    return f"`{pip(f'uninstall -y {others}')} && {pip(f'install --force-reinstall --no-deps {OPENCV}')}`"


def opencv(error: ImportError, system: Platform) -> str:
    """Of an OpenCV that cannot be imported."""
    said = str(error)
    if system.bits == 32:
        return (
            "of 32 bits there is no wheel: `sudo apt install -y python3-opencv python3-numpy opencv-data`, "
            f"then {environment_anew()}; or write the 64-bit image to the card"
        )
    if system.jetson and "No module named 'cv2'" in said:
        return apt("python3-opencv opencv-data")  # which has GStreamer, for the board's own camera
    if "No module named 'numpy'" in said:
        return f"`{pip(f'install {NUMPY}')}`"
    if "No module named" in said:
        return f"`{pip(f'install {OPENCV}')}`"
    if other_numpy(said):
        return f"`{pip(f'install {NUMPY} {OPENCV}')}`"
    # libGL.so.1 above all: opencv-python draws windows, for which a system without a desktop has nothing.
    return opencv_anew()


def other_numpy(said: str) -> bool:
    """Whether an import failed because something was built for another numpy than this one."""
    return any(part in said for part in ("_ARRAY_API", "multiarray", "dtype size changed", "numpy.core"))


def picamera2(said: str, system: Platform) -> str:
    """Of a picamera2 that cannot be imported.

    Args:
        said: by the import.
        system: this one.
    """
    if other_numpy(said) and system.release == "bookworm":
        # The system's simplejpeg and picamera2 were built for its numpy 1.24.
        return f"`{pip(f'install {NUMPY} {OPENCV}')}`"
    if other_numpy(said):
        return environment_anew()
    return apt("python3-picamera2")


def runtime(system: Platform) -> str:
    """Of a system without a TFLite runtime that works."""
    if system.bits == 64:
        more = "" if _NEW else f" 'ml_dtypes<0.6' {NUMPY}"
        what = f"'ai-edge-litert>=2.1'{more}"
        return f"`{pip(f'install {what}')}`"
    if not _NEW:
        what = f"tflite-runtime==2.14.0 {NUMPY}"
        return f"`{pip(f'install {what}')}`"
    return "of 32 bits and Python 3.12 or later there is none: write the 64-bit image to the card"


def prometheus() -> str:
    """Of a device that is asked for figures and lacks the package."""
    return f"`{pip(PROMETHEUS)}`"


def package() -> str:
    """The package's own files, as they were installed."""
    if (_ROOT / ".git").exists():
        return f"`git -C {shlex.quote(str(_ROOT))} checkout -- models edge`"
    if Path(sys.prefix) == SERVICE_PREFIX:
        return "`sudo make install-device` in its source folder"
    return f"`{pip(f'install --force-reinstall --no-deps {_WHEEL}')}`"


def cascade(*, from_wheel: bool) -> str:
    """Of an OpenCV without its cascades.

    Args:
        from_wheel: whether it is pip's; Debian's keeps them in a package of their own.
    """
    return opencv_anew() if from_wheel else "`sudo apt install -y opencv-data`"
