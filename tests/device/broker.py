"""A broker in a guest, and a listener that keeps every message."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from tests.device.guest import Guest, run, wait_until, write_file

# What the listener received, a line for each message: seconds, topic, payload.
MESSAGES = "/run/messages"
# With which the device logs in.
USER, PASSWORD = "device", "s3cret"

_CONFIG = """listener 1883 127.0.0.1
allow_anonymous false
password_file /etc/mosquitto/passwords
"""
_LISTENER = "stdbuf -oL mosquitto_sub -h 127.0.0.1 -u listener -P listens -t '#' -F '%U %t %p'"


@contextlib.contextmanager
def broker(guest: Guest) -> Iterator[None]:
    """Runs a Mosquitto that requires a password, and a listener that writes messages to MESSAGES."""
    write_file(guest, "/etc/mosquitto/conf.d/test.conf", _CONFIG)
    run(
        guest,
        f"cd /etc/mosquitto && mosquitto_passwd -c -b passwords {USER} {PASSWORD} && "
        "mosquitto_passwd -b passwords listener listens && chown mosquitto passwords && "
        # Without the messages that the broker retained for another test.
        "systemctl stop mosquitto && rm -f /var/lib/mosquitto/mosquitto.db && systemctl start mosquitto && "
        f"systemd-run --quiet --collect --unit=listener -p StandardOutput=truncate:{MESSAGES} {_LISTENER} && "
        "sleep 1",
    )
    yield
    run(guest, "systemctl stop listener mosquitto; rm /etc/mosquitto/conf.d/test.conf")


def settings_with_broker(source: str, device: str) -> str:
    """Returns the settings of a device that logs in at the broker; its password is a credential."""
    mqtt = f'host = "127.0.0.1"\nusername = "{USER}"\ndevice = "{device}"'
    return f'source = "{source}"\n[mqtt]\n{mqtt}'


class Messages:
    """The messages of one device that the listener received."""

    def __init__(self, guest: Guest, device: str) -> None:
        """Starts with the first message.

        Args:
            guest: Where the listener runs.
            device: Name of the device.
        """
        self._guest = guest
        self._device = device
        self._line = 1

    def wait(self, topic: str, payload: str, limit_s: float = 60) -> float:
        """Waits for a message that is newer than the one of the previous call.

        Args:
            topic: Its topic, below that of the device.
            payload: Pattern that the beginning of its payload matches.
            limit_s: Fails after so many seconds.

        Returns:
            The seconds that it took.
        """
        pattern = f"'^[0-9.]+ emotiny/{self._device}/{topic} {payload}'"
        command = f"tail -n +{self._line} {MESSAGES} | grep -nE {pattern}"
        took_s = wait_until(self._guest, command, limit_s=limit_s)
        self._line += int(run(self._guest, command).partition(":")[0])
        return took_s

    def all(self, topic: str) -> list[str]:
        """Returns the payloads of all messages of a topic."""
        lines = run(self._guest, f"grep ' emotiny/{self._device}/{topic} ' {MESSAGES}").splitlines()
        return [line.split(" ", 2)[2] for line in lines]

    def last(self, topic: str) -> str:
        """Returns the payload of the last message of a topic."""
        return self.all(topic)[-1]
