"""Makes paho clients from settings."""

from __future__ import annotations

import shlex
import ssl
from pathlib import Path

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from edge.errors import ConfigError
from edge.files import read_regular
from edge.output.mqtt.bounded_client import BoundedClient
from edge.output.mqtt.settings import MAX_CERTIFICATES_BYTES, MqttSettings


def make_client(settings: MqttSettings, purpose: str = "") -> paho.Client:
    """Returns a client that is not connected yet.

    Args:
        settings: Settings of the connection.
        purpose: Suffix of the client's name; empty for the client that publishes the reports. A broker ends
            the connection of a client when a second one of the same name connects.

    Raises:
        ConfigError: a certificate, key or password file cannot be used.
    """
    is_v5 = settings.version == "5"
    client = BoundedClient(
        CallbackAPIVersion.VERSION2,
        client_id="_".join(filter(None, (settings.client_id, purpose))),
        protocol=MQTTProtocolVersion.MQTTv5 if is_v5 else MQTTProtocolVersion.MQTTv311,
        transport=settings.transport,
        **({} if is_v5 else {"clean_session": True}),
    )
    if settings.username:
        client.username_pw_set(settings.username, settings.read_password() or None)
    if settings.tls:
        if settings.key:
            _check_plain(settings.key)  # OpenSSL would ask the terminal for a password
        try:
            client.tls_set(
                ca_certs=str(settings.ca) if settings.ca else None,
                certfile=str(settings.certificate) if settings.certificate else None,
                keyfile=str(settings.key) if settings.key else None,
            )
        except (ssl.SSLError, OSError) as error:
            raise ConfigError(f"mqtt certificates: {error}") from error
    return client


def _check_plain(key: Path) -> None:
    try:
        content = read_regular(key, MAX_CERTIFICATES_BYTES)
    except OSError as error:
        raise ConfigError(f"mqtt key {key}: cannot be read: {error.strerror}") from error
    if b"ENCRYPTED" in content:
        plain = shlex.quote(f"{key}.plain")
        raise ConfigError(
            f"mqtt key {key}: it is encrypted, and nobody is there to enter its password; fix: "
            f"`openssl pkey -in {shlex.quote(str(key))} -out {plain}`, and name that file"
        )
