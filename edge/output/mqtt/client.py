"""A client of a broker, made from settings."""

from __future__ import annotations

import ssl

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from edge.errors import ConfigError
from edge.output.mqtt.settings import MqttSettings


def make_client(settings: MqttSettings, purpose: str = "") -> paho.Client:
    """Not connected yet.

    Args:
        settings: the connection's.
        purpose: what else than the device's reports it is for: a second client of one name ends the first.

    Raises:
        ConfigError: a certificate or key is none.
    """
    five = settings.version == "5"
    client = paho.Client(
        CallbackAPIVersion.VERSION2,
        client_id="_".join(filter(None, (settings.client_id, purpose))),
        protocol=MQTTProtocolVersion.MQTTv5 if five else MQTTProtocolVersion.MQTTv311,
        transport=settings.transport,
        **({} if five else {"clean_session": True}),
    )
    if settings.username:
        client.username_pw_set(settings.username, settings.secret() or None)
    if settings.tls:
        try:
            client.tls_set(
                ca_certs=str(settings.ca) if settings.ca else None,
                certfile=str(settings.certificate) if settings.certificate else None,
                keyfile=str(settings.key) if settings.key else None,
            )
        except (ssl.SSLError, OSError) as error:
            raise ConfigError(f"mqtt certificates: {error}") from error
    return client
