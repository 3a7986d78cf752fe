"""Chooses the name of a device that nobody named.

Two devices must not share a name: the broker takes them for one.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

# Host names that SD card images come with, and that many machines therefore have.
_COMMON_HOSTS = {"raspberrypi", "raspberry", "pi", "jetson", "tegra-ubuntu", "ubuntu", "debian", "localhost"}
_MACHINE_ID = Path("/etc/machine-id")
# Set by the systemd unit where several services run on one machine.
_INSTANCE_VARIABLE = "EMOTINY_INSTANCE"


def default_device(
    environment: Mapping[str, str] | None = None, host: str | None = None, machine_id: Path = _MACHINE_ID
) -> str:
    """Returns the machine's host name, followed by four digits of its own if the host name is a common one.

    Args:
        environment: Environment; EMOTINY_INSTANCE in it is appended to the name. None for this process's.
        host: Host name; None for this machine's.
        machine_id: File whose content differs on every machine (machine-id(5)).

    Returns:
        1 to 64 letters, digits, _ and -.
    """
    environment = os.environ if environment is None else environment
    host = os.uname().nodename.partition(".")[0] if host is None else host
    parts = [host[:40] or "emotiny"]
    if parts[0].lower() in _COMMON_HOSTS:
        with suppress(OSError):  # some containers have no machine-id
            # Hashed, because the identifier itself must stay on the machine (machine-id(5)).
            parts.append(hashlib.sha256(b"emotiny" + machine_id.read_bytes()).hexdigest()[:4])
    parts.append(environment.get(_INSTANCE_VARIABLE, ""))
    return re.sub(r"[^A-Za-z0-9_-]", "-", "-".join(filter(None, parts)))[:64]
