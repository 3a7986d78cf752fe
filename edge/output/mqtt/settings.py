"""Settings of the connection to a broker."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal
from urllib.parse import urlsplit

from edge.documents import read_secret
from edge.errors import ConfigError
from edge.files import is_utf8, read_regular
from edge.option import option
from edge.output.mqtt.device_id import default_device

# Home Assistant's default prefix of discovery topics.
HOME_ASSISTANT = "homeassistant"
# Seconds that a broker may take for each answer to a command such as `check` or `forget`.
ANSWER_TIMEOUT_S = 10.0
# Topics and templates are made of names, which therefore hold no wildcard, separator or template syntax.
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
# A larger file is no password; the authorities that a system trusts are 200 kB.
_MAX_SECRET_BYTES, MAX_CERTIFICATES_BYTES = 1 << 16, 1 << 24
# Schemes of URLs of brokers, with the flags that mean the same.
_SCHEMES = {
    "mqtt": (),
    "tcp": (),
    "mqtts": ("--mqtt-tls",),
    "ssl": ("--mqtt-tls",),
    "ws": ("--mqtt-transport websockets",),
    "wss": ("--mqtt-transport websockets", "--mqtt-tls"),
}
# Of a text in a packet of MQTT.
_MAX_STRING_BYTES = 65_535
_HOST = re.compile(r"[A-Za-z0-9.:_-]{1,253}")


def _is_host(text: str) -> bool:
    if not _HOST.fullmatch(text) or text.count(":") == 1:  # an IPv6 address has two at least
        return False
    try:
        text.encode("idna")  # as the resolver does: no label may be empty or longer than 63 characters
    except UnicodeError:
        return False
    return True


def _instead(host: str) -> str:
    """Returns the end of a message about a host that is a URL, as other programs take: the flags to use."""
    host = re.sub(r"^([a-z]+):/(?!/)", r"\1://", host)  # a slash is easily forgotten
    try:
        url = urlsplit(host if "//" in host else f"//{host}")
        name, port = url.hostname, url.port
    except ValueError:
        return ""
    if not name or not _is_host(name) or url.scheme not in ("", *_SCHEMES):
        return ""
    flags = [f"--mqtt-host {name}", *([f"--mqtt-port {port}"] if port else []), *_SCHEMES.get(url.scheme, ())]
    return f" alone; try {' '.join(flags)}"


def _check_string(name: str, text: str) -> None:
    if not is_utf8(text) or len(text.encode()) > _MAX_STRING_BYTES:
        raise ConfigError(f"mqtt {name}: expected UTF-8, {_MAX_STRING_BYTES} bytes of it at most")


@dataclass(frozen=True)
class MqttSettings:
    """A broker, the connection to it, and the name of this device there."""

    # Seconds that a broker may take to acknowledge something during a run.
    acknowledge_s: ClassVar[float] = 30.0

    host: str = field(
        default="",
        metadata=option("name or address of the broker; nothing is sent without one", "--mqtt-host"),
    )
    port: int = field(
        default=0, metadata=option("port of the broker; 0 for 1883, or for 8883 with TLS", "--mqtt-port")
    )
    device: str = field(
        default_factory=default_device,
        metadata=option(
            "name of this device, also in topics: up to 64 letters, digits, _ and -",
            "--mqtt-device",
            default="the machine's name",
        ),
    )
    base: str = field(default="emotiny", metadata=option("first part of all topics", "--mqtt-base"))
    username: str = field(default="", metadata=option("user name at the broker", "--mqtt-username"))
    password: str = field(
        default="",
        metadata=option(
            "password at the broker; better in a file mqtt_password next to this one, or in password_file",
            secret=True,
        ),
    )
    password_file: Path | None = field(
        default=None,
        metadata=option("file with the password at the broker in its first line", "--mqtt-password-file"),
    )
    tls: bool = field(
        default=False,
        metadata=option("encrypt the connection, and check the broker's certificate", "--mqtt-tls"),
    )
    ca: Path | None = field(
        default=None,
        metadata=option("PEM file of the authorities to trust", "--mqtt-ca", default="the system's"),
    )
    certificate: Path | None = field(
        default=None,
        metadata=option("PEM file of the certificate with which this device logs in", "--mqtt-certificate"),
    )
    key: Path | None = field(
        default=None, metadata=option("PEM file of that certificate's private key", "--mqtt-key")
    )
    version: Literal["5", "3.1.1"] = field(
        default="5", metadata=option("version of the MQTT protocol", "--mqtt-version")
    )
    transport: Literal["tcp", "websockets"] = field(
        default="tcp",
        metadata=option("transport; websockets for a broker behind a web server", "--mqtt-transport"),
    )
    discovery: str = field(
        default=HOME_ASSISTANT,
        metadata=option(
            "first part of Home Assistant's discovery topics; nothing is announced if it is empty",
            "--mqtt-discovery",
        ),
    )
    keepalive_s: int = field(
        default=30,
        metadata=option(
            "seconds of silence after which the connection counts as lost, 5 to 3600", "--mqtt-keepalive"
        ),
    )
    heartbeat_s: float = field(
        default=60.0,
        metadata=option(
            "seconds after which an unchanged state is published again, 1 to 3600", "--mqtt-heartbeat"
        ),
    )
    interval_s: float = field(
        default=0.5,
        metadata=option("least seconds between two messages of one kind, 0 to 60", "--mqtt-interval"),
    )
    queue: int = field(
        default=200,
        metadata=option(
            "messages kept while the broker is away, 10 to 10000; the oldest is dropped first", "--mqtt-queue"
        ),
    )

    def __post_init__(self) -> None:
        if self.host and not _is_host(self.host):
            # A URL may hold the password, in which any character can be.
            shown = re.sub(r"^(\w+:/*)?.*@", r"\1***@", self.host, flags=re.DOTALL)
            raise ConfigError(f"mqtt host {shown!r}: expected a name or an address{_instead(self.host)}")
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
        for name, text in (("username", self.username), ("password", self.password)):
            _check_string(name, text)
        if self.password and self.password_file:
            raise ConfigError("mqtt password and password_file: expected one of them")
        if self.password_file:
            self.read_password()
        self._check_files()

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        return self.host, self.port or (8883 if self.tls else 1883)

    @property
    def client_id(self) -> str:
        """Name of the MQTT client, and identifier of the device in Home Assistant."""
        return f"emotiny_{self.device}"

    def read_password(self) -> str:
        """Returns the password, from its file if there is one; empty if there is no password.

        Raises:
            ConfigError: the file cannot be read or is empty.
        """
        if self.password_file is None:
            return self.password
        try:
            password = read_secret(self.password_file, _MAX_SECRET_BYTES)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise ConfigError(f"mqtt password_file {self.password_file}: cannot be read: {reason}") from error
        if not password:
            raise ConfigError(f"mqtt password_file {self.password_file}: empty")
        return password

    def topic(self, name: str) -> str:
        """Returns the full topic of a kind of message."""
        return f"{self.base}/{self.device}/{name}"

    def _check_files(self) -> None:
        for name, path in (("ca", self.ca), ("certificate", self.certificate), ("key", self.key)):
            if path is None:
                continue
            if not self.tls:
                raise ConfigError(f"mqtt {name} {path}: of use with TLS only; set tls = true")
            try:
                read_regular(path, MAX_CERTIFICATES_BYTES)
            except OSError as error:
                raise ConfigError(f"mqtt {name} {path}: cannot be read: {error.strerror}") from error
