"""Makes paho clients from settings."""

from __future__ import annotations

import ssl

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from edge.errors import ConfigError
from edge.output.mqtt.faults import TooMuchReceivedError
from edge.output.mqtt.settings import MqttSettings

# A command has three letters. Other clients may publish more, which is ignored, but not so much that it fills
# the memory: of a packet of 256 MB, the largest that MQTT allows, paho makes three copies.
_LARGEST_RECEIVED_BYTES = 8 << 20


class _BoundedClient(paho.Client):
    """A client that takes in no packet, and no frame of a websocket, of more than 8 MB."""

    def _sock_recv(self, bufsize: int) -> bytes:
        """Returns at most `bufsize` bytes of what the broker sends.

        paho asks for all that is left of a packet, and keeps a websocket's frame until it is complete.

        Raises:
            TooMuchReceivedError: the packet or the frame is too large.
        """
        if max(bufsize, len(getattr(self._sock, "_readbuffer", b""))) > _LARGEST_RECEIVED_BYTES:
            raise TooMuchReceivedError(
                f"sends more than {_LARGEST_RECEIVED_BYTES >> 20} MB at once; expected short commands; "
                "does the broker keep a large message on one of the topics?"
            )
        return super()._sock_recv(bufsize)


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
    client = _BoundedClient(
        CallbackAPIVersion.VERSION2,
        client_id="_".join(filter(None, (settings.client_id, purpose))),
        protocol=MQTTProtocolVersion.MQTTv5 if is_v5 else MQTTProtocolVersion.MQTTv311,
        transport=settings.transport,
        **({} if is_v5 else {"clean_session": True}),
    )
    if settings.username:
        client.username_pw_set(settings.username, settings.read_password() or None)
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
