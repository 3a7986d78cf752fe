"""What a report of a board says about it: nothing that identifies a person or a single device."""

from __future__ import annotations

import importlib.metadata
import logging
import os
import platform
import re
from pathlib import Path
from threading import Event

import cv2
import numpy as np

from edge.diagnostics.source_probe import probe_source
from edge.errors import EdgeError
from edge.inference.classifier import Classifier
from edge.inference.interpreter import chosen_runtime
from edge.labels import TASKS
from edge.settings.settings import Settings
from edge.sources.discovery import find_cameras
from edge.system.platform import Platform
from edge.system.stdio import print_message

# Arm's names for the "CPU part" in /proc/cpuinfo of these boards.
_CORES = {"0xd03": "Cortex-A53", "0xd08": "Cortex-A72", "0xd0b": "Cortex-A76", "0xd42": "Cortex-A78AE"}
_RUNTIME_PACKAGES = {"litert": "ai-edge-litert", "tflite": "tflite-runtime", "tensorflow": "tensorflow"}


def collect_facts(system: Platform, root: Path = Path("/")) -> dict[str, str]:
    """Returns what the board is and what runs on it, as {property: text}.

    Args:
        system: This board's platform.
        root: Root of the file system.

    Raises:
        EdgeError: A network or a runtime cannot be used.
    """
    return {
        "board": board_name(system),
        "system": ", ".join(
            (
                system.name or "unknown",
                f"Linux {platform.release()}",
                platform.machine(),
                f"{system.bits} bits",
            )
        ),
        "processor": processor(root),
        "memory": memory(root),
        "Python": platform.python_version(),
        "packages": packages(),
        "networks": networks(),
        "cameras": cameras(system),
    }


def board_name(system: Platform) -> str:
    """Returns the model of the board; for a machine that names none, the kind of its processor."""
    return system.model or f"no board: {platform.machine()}"


def processor(root: Path) -> str:
    """Returns the number and kind of the cores, the frequency governor and the range of frequencies.

    Args:
        root: Root of the file system.
    """
    cpuinfo = _read(root / "proc/cpuinfo")
    names = re.findall(r"^(?:model name|CPU part)\s*: (.*)$", cpuinfo, re.MULTILINE)
    cores = " and ".join(dict.fromkeys(_CORES.get(name, name) for name in names)) or platform.machine()
    policies = sorted((root / "sys/devices/system/cpu/cpufreq").glob("policy*"))
    governors = dict.fromkeys(filter(None, (_read(policy / "scaling_governor") for policy in policies)))
    parts = [f"{os.cpu_count()} x {cores}", *governors]
    mhz = [
        int(text) // 1000
        for policy in policies
        for text in (_read(policy / "cpuinfo_min_freq"), _read(policy / "scaling_max_freq"))
        if text.isdecimal()
    ]
    if mhz:
        parts.append(f"{min(mhz)} to {max(mhz)} MHz")
    return ", ".join(parts)


def memory(root: Path) -> str:
    """Returns the size of the memory and how much of it is free.

    Args:
        root: Root of the file system.
    """
    kilobytes = dict(re.findall(r"^(\w+):\s+(\d+) kB$", _read(root / "proc/meminfo"), re.MULTILINE))
    if "MemTotal" not in kilobytes or "MemAvailable" not in kilobytes:
        return "unknown"
    return f"{int(kilobytes['MemTotal']) // 1024} MB, {int(kilobytes['MemAvailable']) // 1024} free"


def runtime() -> str:
    """Returns the name and version of the TFLite runtime in use."""
    package = _RUNTIME_PACKAGES[chosen_runtime()]
    return f"{package} {_version(package)}"


def packages() -> str:
    """Returns the versions of the packages that work on a frame."""
    gstreamer = "with" if cv2.videoio_registry.hasBackend(cv2.CAP_GSTREAMER) else "no"
    return (
        f"numpy {np.__version__}, OpenCV {cv2.__version__} ({gstreamer} GStreamer), {runtime()}, "
        f"paho-mqtt {_version('paho-mqtt')}, picamera2 {_version('picamera2')}"
    )


def networks() -> str:
    """Returns the names and the beginnings of the hashes of the installed networks."""
    contracts = [Classifier(None, task).contract for task in TASKS]
    return ", ".join(f"{contract.name} ({contract.sha256[:12]})" for contract in contracts)


def cameras(system: Platform) -> str:
    """Returns the models and formats of all connected cameras.

    Args:
        system: This board's platform.
    """
    # Not their names in /dev, which udev makes from serial numbers, nor an error's text, which may hold a
    # path.
    texts = [
        camera.text if camera.error is None else f"{camera.source} cannot be used"
        for camera in find_cameras(system)
    ]
    return "; ".join(texts) or "none"


def first_camera() -> str:
    """Returns the frame size and rate of the camera that `emotiny run` would open."""
    try:
        info = probe_source(Settings(), Event())
    except EdgeError as error:
        # On standard error, and not in the report, because it may hold a path.
        print_message(str(error), logging.WARNING)
        return "no camera can be opened"
    width, height = info.size_wh
    return f"{width}x{height}, {info.fps:.1f} frames a second"


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "is not installed"


def _read(path: Path) -> str:
    # Any of these files may be missing in a container.
    try:
        return path.read_text().strip()
    except OSError:
        return ""
