"""What a report of a board says of it: nothing by which a person or a single device could be told."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
from pathlib import Path

import cv2
import numpy as np

from edge.inference.classifier import Classifier
from edge.inference.contract import MODELS_FOLDER, find_model
from edge.inference.interpreter import chosen_runtime
from edge.labels import TASKS
from edge.sources.discovery import find_cameras
from edge.system.platform import Platform

# By /proc/cpuinfo's "CPU part": what Arm calls the cores of these boards.
_PARTS = {"0xd03": "Cortex-A53", "0xd08": "Cortex-A72", "0xd0b": "Cortex-A76", "0xd42": "Cortex-A78AE"}
_RUNTIMES = {"litert": "ai-edge-litert", "tflite": "tflite-runtime", "tensorflow": "tensorflow"}


def facts(system: Platform, root: Path = Path("/")) -> dict[str, str]:
    """What the board is and what runs on it, by what each thing is called.

    Args:
        system: this one.
        root: of the file system.

    Raises:
        EdgeError: a network or a runtime cannot be used.
    """
    return {
        "board": board(system),
        "system": ", ".join(
            (
                system.name or "not told",
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


def board(system: Platform) -> str:
    """What it calls itself; what is no board has its processor's kind for a name."""
    return system.model or f"no board: {platform.machine()}"


def processor(root: Path) -> str:
    """Its cores, and between which frequencies the kernel moves them by which rule.

    Args:
        root: of the file system.
    """
    said = _read(root / "proc/cpuinfo")
    named = re.findall(r"^(?:model name|CPU part)\s*: (.*)$", said, re.MULTILINE)
    names = " and ".join(dict.fromkeys(_PARTS.get(name, name) for name in named)) or platform.machine()
    policies = sorted((root / "sys/devices/system/cpu/cpufreq").glob("policy*"))
    rules = dict.fromkeys(filter(None, (_read(policy / "scaling_governor") for policy in policies)))
    told = [f"{os.cpu_count()} x {names}", *rules]
    mhz = [
        int(text) // 1000
        for policy in policies
        for text in (_read(policy / "cpuinfo_min_freq"), _read(policy / "scaling_max_freq"))
        if text.isdecimal()
    ]
    if mhz:
        told.append(f"{min(mhz)} to {max(mhz)} MHz")
    return ", ".join(told)


def memory(root: Path) -> str:
    """How much there is, and how much of it is free.

    Args:
        root: of the file system.
    """
    said = dict(re.findall(r"^(\w+):\s+(\d+) kB$", _read(root / "proc/meminfo"), re.MULTILINE))
    if "MemTotal" not in said or "MemAvailable" not in said:
        return "not told"
    return f"{int(said['MemTotal']) // 1024} MB, {int(said['MemAvailable']) // 1024} free"


def runtime() -> str:
    """The runtime that is used, and its version."""
    name = _RUNTIMES[chosen_runtime()]
    return f"{name} {_version(name)}"


def packages() -> str:
    """Those that have a part in a frame's work."""
    gstreamer = "with" if cv2.videoio_registry.hasBackend(cv2.CAP_GSTREAMER) else "no"
    return (
        f"numpy {np.__version__}, OpenCV {cv2.__version__} ({gstreamer} GStreamer), {runtime()}, "
        f"paho-mqtt {_version('paho-mqtt')}, picamera2 {_version('picamera2')}"
    )


def networks() -> str:
    """Which files are read with."""
    contracts = [Classifier(find_model(MODELS_FOLDER, task), task).contract for task in TASKS]
    return ", ".join(f"{contract.name} ({contract.sha256[:12]})" for contract in contracts)


def cameras(system: Platform) -> str:
    """All that are connected, by model and formats.

    Args:
        system: this one.
    """
    # Not by the names that udev makes, which hold serial numbers; and what a failure says may hold a path.
    told = [
        found.text if found.error is None else f"{found.source} cannot be used"
        for found in find_cameras(system)
    ]
    return "; ".join(told) or "none"


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "is not installed"


def _read(path: Path) -> str:
    # A container may lack any of these.
    try:
        return path.read_text().strip()
    except OSError:
        return ""
