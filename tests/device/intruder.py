"""What an intruder could do who had taken over the service."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tests.device.guest import Guest, run, write_file
from tests.device.service import Service

HERE = Path(__file__).parent
# Devices that every process may open, and that hold nothing.
_HARMLESS = {
    f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts/ptmx")
}


def run_probe(service: Service, drop_in: str = "") -> dict[str, Any]:
    """Runs probe.py instead of the program, under the unit of the service.

    Args:
        service: The service.
        drop_in: Lines that change the unit.

    Returns:
        {attempt: what of it succeeded}, without harmless devices, and without ports if this systemd cannot
        forbid them.
    """
    write_file(service.guest, "/usr/local/lib/probe.py", (HERE / "probe.py").read_text())
    command = "ExecStart=\nExecStart=/opt/emotiny/bin/python /usr/local/lib/probe.py"
    service.drop_in(f"{drop_in}\nStandardOutput=journal\n{command}")
    service.start(code=None)
    *_, line = re.findall(r"^probe (.*)$", service.journal(), re.MULTILINE)
    attempts: dict[str, Any] = json.loads(line)
    assert "/dev/null" in attempts["devices"]  # else the probe did not look for devices
    attempts["devices"] = sorted(set(attempts["devices"]) - _HARMLESS)
    if not forbids_ports(service.guest):
        attempts.pop("ports")
    return attempts


def forbids_ports(guest: Guest) -> bool:
    """Returns whether a guest's systemd enforces SocketBindDeny=: Bookworm's was built without BPF."""
    return "+BPF_FRAMEWORK" in run(guest, "systemctl --version")


def assert_powerless(attempts: dict[str, Any]) -> None:
    """Asserts that the probe ran as a dynamic user without capabilities, and that no attempt succeeded."""
    assert attempts.pop("uid") >= 61184  # the first that DynamicUser= assigns
    zeros = "0" * 16
    expected = {"CapEff": zeros, "CapBnd": zeros, "NoNewPrivs": "1", "Seccomp": "2"}
    assert (status := attempts.pop("status")) == expected, status
    succeeded = {attempt: result for attempt, result in attempts.items() if result}
    assert not succeeded, succeeded
