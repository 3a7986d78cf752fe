"""Checks whether a broker accepts this device."""

from __future__ import annotations

from edge.errors import ConfigError, EdgeError
from edge.output.mqtt import faults
from edge.output.mqtt.requests import RequestClient
from edge.output.mqtt.settings import MqttSettings
from edge.output.mqtt.size_limit import ENOUGH_BYTES


def probe(settings: MqttSettings, timeout_s: float) -> str:
    """Connects, logs in and publishes an empty message that is not retained.

    Args:
        settings: Settings of the connection.
        timeout_s: Seconds that the broker may take for each answer.

    Returns:
        What was found, as one line for the user.

    Raises:
        ConfigError: the broker cannot be reached, or it refuses the login, the certificate or the message.
        OutputError: the broker does not answer, or ends the connection.
    """
    address = "{}:{}".format(*settings.address)
    topic = settings.topic("check")
    try:
        with RequestClient(settings, "check", timeout_s) as client:
            client.connect()
            reason = client.publish(topic)
    except EdgeError:  # some of these are OSErrors as well
        raise
    except OSError as error:
        raise ConfigError(f"{address}: {faults.connect_failure(error, settings).text}") from error
    if reason.is_failure:
        raise ConfigError(f"{address}: {faults.describe_rejected(reason, topic, settings)}")
    limit = client.largest_packet
    is_small = limit is not None and limit < ENOUGH_BYTES
    limited = f" of at most {limit} bytes; emotiny may need {ENOUGH_BYTES}" if is_small else ""
    encrypted = " with TLS" if settings.tls else ""
    return f"{address}, MQTT {settings.version}{encrypted}: connects, and takes messages{limited}"
