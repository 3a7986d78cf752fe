"""What `check` looks at of the machine: its Python, its packages, its memory, who may open what."""

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

# Two networks, OpenCV and the cascade take 90 MB; below this the kernel ends somebody.
_LEAST_MB = 120


def python_and_system(system: Platform) -> str:
    """What runs here."""
    said = f"Python {platform.python_version()}, {platform.machine()}, {platform.platform(terse=True)}"
    said += "".join(f", {name}" for name in (system.name, system.model) if name)
    if system.bits == 32:
        said += ", 32 bits: numpy and OpenCV are apt's, and tflite-runtime is the only runtime"
    return said


def packages() -> str:
    """What was imported."""
    return f"numpy {np.__version__}, OpenCV {cv2.__version__}"


def picamera2(system: Platform) -> str:
    """What it finds, if it is there.

    Raises:
        MissingDependencyError: it is installed, and cannot be imported.
    """
    try:
        found = list_cameras()
    except MissingDependencyError as error:
        raise MissingDependencyError(f"{error}; fix: {remedies.picamera2(str(error), system)}") from error
    if found is not None:
        return f"finds {', '.join(camera.model for camera in found) or 'no camera'}"
    if system.pi:
        command = remedies.apt("python3-picamera2")
        return f"not installed; a camera at the board's own connector needs it: {command}"
    return "not installed; only a Raspberry Pi needs it"


def memory(root: Path = Path("/")) -> str:
    """How much is free.

    Args:
        root: of the file system.

    Raises:
        OutputError: too little for a run.
    """
    try:
        (kilobytes,) = re.findall(r"^MemAvailable:\s+(\d+) kB", (root / "proc/meminfo").read_text(), re.M)
    except (OSError, ValueError):
        return "not told"
    megabytes = int(kilobytes) // 1024
    if megabytes < _LEAST_MB:
        raise OutputError(
            f"{megabytes} MB free; expected {_LEAST_MB} MB; fix: `ps aux --sort -rss | head` shows what "
            "takes it; the desktop goes with `sudo systemctl set-default multi-user.target && sudo reboot`"
        )
    return f"{megabytes} MB free"


def permissions(system: Platform, dev: Path = DEV) -> str:
    """Whether this user may open the devices of cameras that are there.

    Args:
        system: this one.
        dev: where device nodes lie.

    Raises:
        CameraError: not all of them.
    """
    nodes = [Path(path) for path in paths(dev)]
    if system.pi:
        # libcamera needs these as well.
        nodes += [*sorted(dev.glob("media*")), *sorted(dev.glob("dma_heap/*"))]
    if not nodes:
        return "no device of a camera is there; `emotiny cameras` says where to look"
    closed = [node for node in nodes if not may_open(node)]
    if closed:
        more = f" and {len(closed) - 1} more" if len(closed) > 1 else ""
        raise CameraError(f"{closed[0]}{more}: permission denied: {explain_denied(closed[0])}")
    who = (
        "root may open everything, the service what is of group video"
        if os.geteuid() == 0
        else "this user may"
    )
    return f"{len(nodes)} devices of cameras: {who}"


def board(sys: Path = Path("/sys")) -> str:
    """Its temperature.

    Args:
        sys: where sysfs is mounted.

    Raises:
        OutputError: its firmware or kernel holds it back.
    """
    state = ThermalSensors(sys).state()
    if "under-voltage" in state.throttled:
        raise OutputError(
            f"{', '.join(state.throttled)}: the board is held back; fix: the board's own supply, or a "
            "shorter cable; `vcgencmd get_throttled` says 0x0 then"
        )
    if state.throttled:
        raise OutputError(
            f"{', '.join(state.throttled)}: the board is held back; fix: a fan, or `--cpu-share 0.5` "
            "(cpu_share = 0.5 below [budget] in the settings)"
        )
    if state.temperature_c is None:
        return "tells no temperature"
    return f"{state.temperature_c:.0f} degrees Celsius"


def service(root: Path = Path("/")) -> str:
    """Whether the service is installed and runs; either is as it may be.

    Args:
        root: of the file system.
    """
    state = service_state(root)
    if not state:
        return "no systemd here"
    if not any((root / folder / "systemd/system/emotiny.service").exists() for folder in ("etc", "usr/lib")):
        return "not installed; `sudo make install-device` in the source folder does that"
    if state == "active":
        return "runs; `journalctl -fu emotiny` shows what it says"
    return (
        f"{state}; `sudo systemctl restart emotiny` starts it, `journalctl -eu emotiny` says why it does not"
    )


def service_state(root: Path = Path("/")) -> str:
    """What systemd calls the service's state, as active or failed; empty without systemd."""
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
