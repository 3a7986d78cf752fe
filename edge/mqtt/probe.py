"""Whether a broker takes this device: one connection, one message that nobody keeps."""

from __future__ import annotations

import threading
from typing import Any

from edge.errors import ConfigError, OutputError
from edge.mqtt import faults
from edge.mqtt.client import make_client
from edge.mqtt.settings import MqttSettings


def probe(settings: MqttSettings, limit_s: float) -> str:
    """Connects, logs in and says something.

    Args:
        settings: the connection's.
        limit_s: how long each of these may take.

    Returns:
        What was found, for people.

    Raises:
        ConfigError: name, password, certificate or what this device may say is wrong.
        OutputError: the broker does not answer.
    """
    address = "{}:{}".format(*settings.address)
    reasons: list[Any] = []
    said = threading.Event()
    client = make_client(settings, "check")

    def tell(*heard: Any) -> None:
        reasons.append(heard[3])
        said.set()

    client.on_connect = client.on_publish = tell
    try:
        client.connect(*settings.address, keepalive=settings.keepalive_s)
        client.loop_start()
        if not said.wait(limit_s):
            raise OutputError(f"{address}: {faults.SILENT}")
        if reasons[0].is_failure:
            raise ConfigError(f"{address}: {faults.refusal(reasons[0]).text}")
        said.clear()
        client.publish(settings.topic("check"), "", qos=1)
        if not said.wait(limit_s):
            raise OutputError(f"{address}: does not acknowledge a message on {settings.topic('check')}")
        if reasons[-1].is_failure:
            raise ConfigError(
                f"{address}: {faults.unpublished(reasons[-1], settings.topic('check'), settings)}"
            )
    except OSError as error:
        raise ConfigError(f"{address}: {faults.unreachable(error, settings).text}") from error
    finally:
        client.disconnect()
        client.loop_stop()
    encrypted = " with TLS" if settings.tls else ""
    return f"{address}, MQTT {settings.version}{encrypted}: connects, and takes messages"
