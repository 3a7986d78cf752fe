"""Which board and distribution this is: commands that mend something differ between them."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Platform:
    """A board and what runs on it.

    Attributes:
        model: what the board calls itself, as "Raspberry Pi 4 Model B Rev 1.4"; empty for what is no board.
        name: of the distribution, as people say it; empty where it says none.
        release: its name in package lists, as bookworm, trixie or jammy; empty likewise.
        jetson: whether the processor is a Tegra.
        bits: of this Python, 32 or 64.
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
        """The file of a Raspberry Pi's firmware; before Bookworm it lay elsewhere."""
        return "/boot/config.txt" if self.release in ("buster", "bullseye") else "/boot/firmware/config.txt"


def detect_platform(root: Path = Path("/")) -> Platform:
    """What this machine is, by its device tree and os-release.

    Args:
        root: of the file system.
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
    # A desktop has no device tree, a container perhaps no os-release.
    try:
        return path.read_bytes().decode("utf-8", "replace")
    except OSError:
        return ""
