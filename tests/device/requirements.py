"""What the device tests need of this machine; where it is missing, they fail before anything is built."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Collection

# {command: Debian package that contains it}
_BUILDING = {"mmdebstrap": "mmdebstrap"}
_MACHINE = _BUILDING | {"qemu-system-x86_64": "qemu-system-x86", "mkfs.ext4": "e2fsprogs"}
_ENTERED = _BUILDING | {"nsenter": "util-linux"}
# {module: commands that its tests run}
COMMANDS = {
    "test_systemd": _ENTERED | {"systemd-nspawn": "systemd-container"},
    "test_camera": _MACHINE,
    "test_picamera": _MACHINE,
    "test_arm64": _ENTERED | {"qemu-aarch64-static": "qemu-user-static", "arch-test": "arch-test"},
    "test_gstreamer": _ENTERED,
    "test_container": _BUILDING | {"buildah": "buildah", "crun": "crun", "unshare": "util-linux"},
}
# Runs this machine's own programs; the others run those of x86-64, whose emulation would take too long.
_OF_ANY_PROCESSOR = {"test_systemd"}


def obstacles(modules: Collection[str]) -> list[str]:
    """Returns why tests cannot run here, a line each, with its fix if there is one; empty if they can.

    Args:
        modules: Modules in this folder, keys of COMMANDS.
    """
    found = []
    foreign = sorted(set(modules) - _OF_ANY_PROCESSOR)
    if foreign and platform.machine() != "x86_64":
        found.append(f"{', '.join(foreign)}: programs of x86-64 are too slow on {platform.machine()}")
    if os.geteuid() != 0:
        found.append("root's rights are needed: sudo make test-device")
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"
    commands = {command: package for module in modules for command, package in COMMANDS[module].items()}
    missing = {package for command, package in commands.items() if not shutil.which(command, path=path)}
    if missing:
        found.append(f"Debian packages are missing: apt-get install {' '.join(sorted(missing))}")
    return found
