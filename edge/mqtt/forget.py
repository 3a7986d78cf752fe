"""Takes back what a device had a broker keep, so that Home Assistant and the broker forget it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

from edge.errors import ConfigError, OutputError
from edge.mqtt import faults, messages
from edge.mqtt.client import make_client
from edge.mqtt.settings import MqttSettings


def forget(settings: MqttSettings, limit_s: float) -> Iterator[str]:
    """Publishes nothing, retained, wherever the device had something kept.

    Args:
        settings: the connection's; where `discovery` is empty the device is taken back under Home
            Assistant's own prefix, since it may have been announced by earlier settings.
        limit_s: seconds that the broker may take for each answer.

    Yields:
        A line for each topic that is free, for people.

    Raises:
        ConfigError: the broker refuses the connection or, after all were tried, a topic.
        OutputError: the broker cannot be reached, or does not answer.
    """
    address = "{}:{}".format(*settings.address)
    topics = [messages.discovery_topic(settings), *messages.kept_topics(settings)]
    answers: list[Any] = []
    answered = threading.Semaphore(0)
    online: list[bytes] = []
    client = make_client(settings, "forget")

    def answer(*heard: Any) -> None:
        answers.append(heard[3])
        answered.release()

    def wait() -> Any:
        if not answered.acquire(timeout=limit_s):
            raise OutputError(f"{address}: does not answer; is it an MQTT broker?")
        return answers[-1]

    client.on_connect = client.on_subscribe = client.on_publish = answer
    client.on_message = lambda _, __, message: online.append(bytes(message.payload))
    try:
        client.connect(*settings.address, keepalive=settings.keepalive_s)
        client.loop_start()
        if wait().is_failure:
            raise ConfigError(f"{address}: {faults.refusal(answers[-1]).text}")
        client.subscribe(settings.topic("status"), qos=1)  # what is kept there comes before the next answer
        wait()
        refused = []
        for topic in topics:
            client.publish(topic, b"", qos=1, retain=True)
            if wait().is_failure:
                refused.append(faults.unpublished(answers[-1], topic, settings))
            else:
                yield f"{topic}: nothing is kept any more"
        if messages.ONLINE.encode() in online:
            yield f"{settings.device} was online: if it still runs it announces itself again; stop it first"
        if refused:
            raise ConfigError(f"{address}: {'; '.join(refused)}")
    except OSError as error:
        raise OutputError(f"{address}: {faults.unreachable(error, settings).text}") from error
    finally:
        client.disconnect()
        client.loop_stop()
