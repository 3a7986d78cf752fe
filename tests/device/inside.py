"""What tests of both parts start in a guest: a broker and who listens, an intruder in the service's place."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.device.guest import Guest, Service, put, run

HERE = Path(__file__).parent
# All that the listener heard, a line each: seconds, topic, payload.
HEARD = "/run/heard"
# Of the log in at the broker: the name of the device, and its password.
USER, PASSWORD = "device", "s3cret"

_BROKER = """listener 1883 127.0.0.1
allow_anonymous false
password_file /etc/mosquitto/passwords
"""
# What everybody may open, and what holds nothing.
_HARMLESS = {
    f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts/ptmx")
}


@contextlib.contextmanager
def broker(guest: Guest) -> Iterator[None]:
    """A Mosquitto that wants a password, and a listener that writes down what it hears, in HEARD."""
    put(guest, "/etc/mosquitto/conf.d/test.conf", _BROKER)
    ear = "stdbuf -oL mosquitto_sub -h 127.0.0.1 -u ear -P heard -t '#' -F '%U %t %p'"
    run(
        guest,
        f"cd /etc/mosquitto && mosquitto_passwd -c -b passwords {USER} {PASSWORD} && "
        "mosquitto_passwd -b passwords ear heard && chown mosquitto passwords && "
        # What another test had it keep is nothing to this one.
        "systemctl stop mosquitto && rm -f /var/lib/mosquitto/mosquitto.db && systemctl start mosquitto && "
        f"systemd-run --quiet --collect --unit=ear -p StandardOutput=truncate:{HEARD} {ear} && sleep 1",
    )
    yield
    run(guest, "systemctl stop ear mosquitto; rm /etc/mosquitto/conf.d/test.conf")


def with_broker(source: str, device: str) -> str:
    """Settings of a device that logs in at that broker; its password is a credential."""
    where = f'host = "127.0.0.1"\nusername = "{USER}"\ndevice = "{device}"'
    return f'source = "{source}"\n[mqtt]\n{where}'


def intrude(service: Service) -> dict[str, Any]:
    """What an intruder could do in the service's place, under its unit.

    Returns:
        {attempt: what of it succeeded}; what everybody may open is left out.
    """
    put(service.guest, "/usr/local/lib/probe.py", (HERE / "probe.py").read_text())
    service.drop_in(
        "StandardOutput=journal\nExecStart=\nExecStart=/opt/emotiny/bin/python /usr/local/lib/probe.py"
    )
    service.start(code=None)
    (line,) = re.findall(r"^probe (.*)$", service.journal(), re.MULTILINE)
    found: dict[str, Any] = json.loads(line)
    assert "/dev/null" in found["devices"]  # it did look
    found["devices"] = sorted(set(found["devices"]) - _HARMLESS)
    return found


def may_do_nothing(found: dict[str, Any]) -> None:
    """Asserts that an intruder is nobody, and that no attempt succeeded."""
    assert found.pop("uid") >= 61184  # of the range that DynamicUser= takes from
    zeros = "0" * 16
    expected = {"CapEff": zeros, "CapBnd": zeros, "NoNewPrivs": "1", "Seccomp": "2"}
    assert (status := found.pop("status")) == expected, status
    succeeded = {what: result for what, result in found.items() if result}
    assert not succeeded, succeeded
