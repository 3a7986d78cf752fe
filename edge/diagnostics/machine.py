"""Checks of the machine: system, packages, memory, rights, service, board.

Each returns what it found as a line for the user, or raises an error whose message names the fix.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from pathlib import Path

import cv2
import numpy as np

from edge.errors import CameraError, MissingDependencyError, OutputError
from edge.sources.picamera import list_cameras
from edge.sources.v4l2_devices import DEV, paths
from edge.system import remedies
from edge.system.permissions import explain_denied, may_open
from edge.system.platform import Platform
from edge.system.thermal import ThermalSensors

# A run takes 90 MB with two networks, OpenCV and the cascade. With less free memory than this, the kernel
# would kill a process.
_MIN_MB = 120


def python_and_system(system: Platform) -> str:
    """Returns the versions and names of Python, processor, system and board."""
    text = f"Python {platform.python_version()}, {platform.machine()}, {platform.platform(terse=True)}"
    text += "".join(f", {name}" for name in (system.name, system.model) if name)
    if system.bits == 32:
        text += ", 32 bits: numpy and OpenCV are apt's, and tflite-runtime is the only runtime"
    return text


def packages() -> str:
    """Returns the versions of the packages that everything else needs."""
    return f"numpy {np.__version__}, OpenCV {cv2.__version__}"


def picamera2(system: Platform) -> str:
    """Returns the cameras that picamera2 finds, or that it is not installed.

    Raises:
        MissingDependencyError: picamera2 is installed and cannot be imported.
    """
    try:
        cameras = list_cameras()
    except MissingDependencyError as error:
        raise MissingDependencyError(f"{error}; fix: {remedies.picamera2(str(error), system)}") from error
    if cameras is not None:
        return f"finds {', '.join(camera.model for camera in cameras) or 'no camera'}"
    if system.pi:
        command = remedies.apt("python3-picamera2")
        return f"not installed; a camera at the board's own connector needs it: {command}"
    return "not installed; only a Raspberry Pi needs it"


def memory(root: Path = Path("/")) -> str:
    """Returns how much memory is free.

    Args:
        root: Root of the file system.

    Raises:
        OutputError: there is too little for a run.
    """
    try:
        (kilobytes,) = re.findall(r"^MemAvailable:\s+(\d+) kB", (root / "proc/meminfo").read_text(), re.M)
    except (OSError, ValueError):
        return "unknown"
    megabytes = int(kilobytes) // 1024
    if megabytes < _MIN_MB:
        raise OutputError(
            f"{megabytes} MB free; expected {_MIN_MB} MB; fix: `ps aux --sort -rss | head` shows what "
            "uses it; `sudo systemctl set-default multi-user.target && sudo reboot` turns the desktop off"
        )
    return f"{megabytes} MB free"


def permissions(system: Platform, dev: Path = DEV) -> str:
    """Returns how many camera devices there are, all of which this user may open.

    Args:
        system: This system.
        dev: Folder of the device nodes.

    Raises:
        CameraError: this user may not open one of them.
    """
    nodes = [Path(path) for path in paths(dev)]
    if system.pi:
        # libcamera opens these as well.
        nodes += [*sorted(dev.glob("media*")), *sorted(dev.glob("dma_heap/*"))]
    if not nodes:
        return "there is no camera device; `emotiny cameras` says where to look"
    denied = [node for node in nodes if not may_open(node)]
    if denied:
        more = f" and {len(denied) - 1} more" if len(denied) > 1 else ""
        raise CameraError(f"{denied[0]}{more}: permission denied: {explain_denied(denied[0])}")
    who = (
        "root may open them all, the service those of the group video"
        if os.geteuid() == 0
        else "this user may open them all"
    )
    return f"{len(nodes)} camera devices: {who}"


def board(sys: Path = Path("/sys")) -> str:
    """Returns the board's temperature.

    Args:
        sys: Folder where sysfs is mounted.

    Raises:
        OutputError: the board is throttled.
    """
    state = ThermalSensors(sys).state()
    if "under-voltage" in state.throttled:
        raise OutputError(
            f"{', '.join(state.throttled)}: the board is throttled; fix: use the board's own power "
            "supply or a shorter cable, until `vcgencmd get_throttled` says 0x0"
        )
    if state.throttled:
        raise OutputError(
            f"{', '.join(state.throttled)}: the board is throttled; fix: a fan, or `--cpu-share 0.5` "
            "(cpu_share = 0.5 below [budget] in the settings)"
        )
    if state.temperature_c is None:
        return "reports no temperature"
    return f"{state.temperature_c:.0f} degrees Celsius"


def service(root: Path = Path("/")) -> str:
    """Returns the state of the systemd service, and the command that shows or changes it; no state is wrong.

    Args:
        root: Root of the file system.
    """
    state = service_state(root)
    if not state:
        return "no systemd here"
    if not any((root / folder / "systemd/system/emotiny.service").exists() for folder in ("etc", "usr/lib")):
        return "not installed; `sudo make install-device` in the source folder installs it"
    if state == "active":
        return "runs; `journalctl -fu emotiny` shows its log"
    return (
        f"{state}; `sudo systemctl restart emotiny` starts it, `journalctl -eu emotiny` shows why it stopped"
    )


def service_state(root: Path = Path("/")) -> str:
    """Returns systemd's word for the service's state, such as active or failed; empty without systemd."""
    systemctl = shutil.which("systemctl")
    if systemctl is None or not (root / "run/systemd/system").is_dir():
        return ""
    try:
        done = subprocess.run(
            [systemctl, "is-active", "emotiny"], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return done.stdout.strip() or "unknown"
