"""Detects the board and the distribution, on which the commands of fixes depend."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Platform:
    """A board and its distribution.

    Attributes:
        model: The model of the board, such as "Raspberry Pi 4 Model B Rev 1.4"; empty for a desktop.
        name: The full name of the distribution; empty if unknown.
        release: The code name of its release, such as bookworm, trixie or jammy; empty if unknown.
        jetson: Whether the processor is a Tegra.
        bits: The word size of this Python, 32 or 64.
    """

    model: str = ""
    name: str = ""
    release: str = ""
    jetson: bool = False
    bits: int = 8 * struct.calcsize("P")

    @property
    def pi(self) -> bool:
        """Whether it is a Raspberry Pi."""
        return self.model.startswith("Raspberry Pi")

    @property
    def boot_config(self) -> str:
        """The path of a Raspberry Pi's firmware configuration, which moved with Bookworm."""
        return "/boot/config.txt" if self.release in ("buster", "bullseye") else "/boot/firmware/config.txt"


def detect_platform(root: Path = Path("/")) -> Platform:
    """Detects the platform from the device tree and os-release.

    Args:
        root: The root of the file system.
    """
    release = {}
    for line in _read(root / "etc" / "os-release").splitlines():
        key, _, value = line.partition("=")
        release[key] = value.strip("\"'")
    tree = root / "proc" / "device-tree"
    return Platform(
        _read(tree / "model").strip("\0\n "),
        release.get("PRETTY_NAME", ""),
        release.get("VERSION_CODENAME", ""),
        "tegra" in _read(tree / "compatible"),
    )


def _read(path: Path) -> str:
    # A desktop has no device tree, and a container may have no os-release.
    try:
        return path.read_bytes().decode("utf-8", "replace")
    except OSError:
        return ""
