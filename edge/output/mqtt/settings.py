"""How the broker is reached and what a device is called there."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from edge.errors import ConfigError
from edge.output.mqtt.device_id import default_device

# Where Home Assistant looks for devices unless it is told otherwise.
HOME_ASSISTANT = "homeassistant"
# No wildcard, no separator, nothing that a template could read: topics and discovery are made of it.
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_HOST = re.compile(r"[A-Za-z0-9.:_-]{1,253}")


def _is_host(text: str) -> bool:
    if not _HOST.fullmatch(text):
        return False
    try:
        text.encode("idna")  # what the resolver does first: no part is empty, or longer than 63
    except UnicodeError:
        return False
    return True


@dataclass(frozen=True)
class MqttSettings:
    """A connection.

    Attributes:
        host: of the broker; empty for none.
        port: 1 to 65535; 0 for 1883, or 8883 with TLS.
        device: in topics and as Home Assistant's identifier: letters, digits, _ and -, 64 at most; what
            `default_device` gives, unless said otherwise.
        base: first part of all topics, of the same characters.
        username: empty for none.
        password: empty for none; never printed.
        password_file: holds the password, as its first line.
        tls: encrypt, and check the broker's certificate against the system's authorities or `ca`.
        ca: PEM file of the authorities to trust instead.
        certificate: PEM file by which the broker knows this device; with `key`.
        key: PEM file of its key.
        version: of the protocol.
        transport: "tcp", or "websockets" for a broker behind a web server.
        discovery: first part of Home Assistant's discovery topics; empty announces nothing.
        keepalive_s: silence after which either side takes the other for gone, 5 to 3600 seconds.
        heartbeat_s: between repetitions of a state that does not change, 1 to 3600 seconds.
        interval_s: least time between two messages of one kind, 0 to 60 seconds.
        queue: messages that wait while the broker is away, 10 to 10000; the oldest goes first.
    """

    host: str = ""
    port: int = 0
    device: str = field(default_factory=default_device)
    base: str = "emotiny"
    username: str = ""
    password: str = ""
    password_file: Path | None = None
    tls: bool = False
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    version: Literal["5", "3.1.1"] = "5"
    transport: Literal["tcp", "websockets"] = "tcp"
    discovery: str = HOME_ASSISTANT
    keepalive_s: int = 30
    heartbeat_s: float = 60.0
    interval_s: float = 0.5
    queue: int = 200

    def __post_init__(self) -> None:
        if self.host and not _is_host(self.host):
            raise ConfigError(f"mqtt host {self.host!r}: expected a name or an address")
        for name, value in (("device", self.device), ("base", self.base), ("discovery", self.discovery)):
            if not _NAME.fullmatch(value) and (value or name != "discovery"):
                raise ConfigError(
                    f"mqtt {name} {value!r}: expected letters, digits, _ and -, 64 of them at most"
                )
        for name, number, low, high in (
            ("port", self.port, 0, 65535),
            ("keepalive_s", self.keepalive_s, 5, 3600),
            ("heartbeat_s", self.heartbeat_s, 1, 3600),
            ("interval_s", self.interval_s, 0, 60),
            ("queue", self.queue, 10, 10_000),
        ):
            if not low <= number <= high:
                raise ConfigError(f"mqtt {name} {number}: must be {low} to {high}")
        if (self.certificate is None) != (self.key is None):
            raise ConfigError("mqtt certificate and key: expected both or neither")
        if self.password and self.password_file:
            raise ConfigError("mqtt password and password_file: expected one of them")
        if self.password_file:
            self.read_password()
        for name, path in (("ca", self.ca), ("certificate", self.certificate), ("key", self.key)):
            if path is None:
                continue
            if not self.tls:
                raise ConfigError(f"mqtt {name} {path}: of use with TLS only; set tls = true")
            try:
                path.open("rb").close()
            except OSError as error:
                raise ConfigError(f"mqtt {name} {path}: cannot be read: {error.strerror}") from error

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        return self.host, self.port or (8883 if self.tls else 1883)

    @property
    def client_id(self) -> str:
        """What the broker and Home Assistant know this device by."""
        return f"emotiny_{self.device}"

    def read_password(self) -> str:
        """The password; empty for none.

        Raises:
            ConfigError: its file cannot be read, or is empty.
        """
        if self.password_file is None:
            return self.password
        try:
            text = self.password_file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "no UTF-8 text"
            raise ConfigError(f"mqtt password_file {self.password_file}: cannot be read: {reason}") from error
        if not text.strip():
            raise ConfigError(f"mqtt password_file {self.password_file}: empty")
        return text.splitlines()[0]

    def topic(self, name: str) -> str:
        """The topic of a kind of message."""
        return f"{self.base}/{self.device}/{name}"
