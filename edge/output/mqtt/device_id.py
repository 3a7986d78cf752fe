"""What a device is called where nobody said: no two may share a name, or the broker takes them for one."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

# What cards are delivered with; every second board is called so.
_COMMON = {"raspberrypi", "raspberry", "pi", "jetson", "tegra-ubuntu", "ubuntu", "debian", "localhost"}
_MACHINE_ID = Path("/etc/machine-id")
# Set by the unit of one of several services: its instance.
_VARIABLE = "EMOTINY_INSTANCE"


def default_device(
    environment: Mapping[str, str] | None = None, host: str | None = None, machine_id: Path = _MACHINE_ID
) -> str:
    """The machine's name, with four digits of its own where that is what many are called.

    Args:
        environment: may hold EMOTINY_INSTANCE, for one of several services of a machine; None for that of
            this process.
        host: the machine's name; None for that of this one.
        machine_id: file of a text that no other machine has (machine-id(5)).

    Returns:
        1 to 64 letters, digits, _ and -.
    """
    environment = os.environ if environment is None else environment
    host = os.uname().nodename.partition(".")[0] if host is None else host
    parts = [host[:40] or "emotiny"]
    if parts[0].lower() in _COMMON:
        with suppress(OSError):  # not every container has one
            # The identifier itself is to stay on the machine, as machine-id(5) asks.
            parts.append(hashlib.sha256(b"emotiny" + machine_id.read_bytes()).hexdigest()[:4])
    parts.append(environment.get(_VARIABLE, ""))
    return re.sub(r"[^A-Za-z0-9_-]", "-", "-".join(filter(None, parts)))[:64]
