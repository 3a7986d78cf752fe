"""Whether a broker takes this device: one connection, one message that nobody keeps."""

from __future__ import annotations

from edge.errors import ConfigError, EdgeError
from edge.output.mqtt import faults
from edge.output.mqtt.requests import RequestClient
from edge.output.mqtt.settings import MqttSettings


def probe(settings: MqttSettings, limit_s: float) -> str:
    """Connects, logs in and says something.

    Args:
        settings: the connection's.
        limit_s: how long each of these may take.

    Returns:
        What was found, for people.

    Raises:
        ConfigError: name, password, certificate or what this device may say is wrong.
        OutputError: the broker does not answer, or ends the connection.
    """
    address = "{}:{}".format(*settings.address)
    topic = settings.topic("check")
    try:
        with RequestClient(settings, "check", limit_s) as talk:
            talk.connect()
            reason = talk.publish(topic)
    except EdgeError:  # some of which are an OSError, too
        raise
    except OSError as error:
        raise ConfigError(f"{address}: {faults.unreachable(error, settings).text}") from error
    if reason.is_failure:
        raise ConfigError(f"{address}: {faults.unpublished(reason, topic, settings)}")
    encrypted = " with TLS" if settings.tls else ""
    return f"{address}, MQTT {settings.version}{encrypted}: connects, and takes messages"
