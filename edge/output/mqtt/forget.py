"""Removes what a device left on a broker, so that the broker and Home Assistant forget it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from edge.errors import ConfigError, EdgeError, OutputError
from edge.output.mqtt import faults, home_assistant, messages
from edge.output.mqtt.requests import RequestClient
from edge.output.mqtt.settings import MqttSettings


def forget(settings: MqttSettings, timeout_s: float) -> Iterator[str]:
    """Removes the device's retained messages by publishing empty ones.

    Args:
        settings: Settings of the connection. Without `discovery` the device is removed under Home Assistant's
            default prefix, because earlier settings may have announced it there.
        timeout_s: Seconds that the broker may take for each answer.

    Yields:
        One line for the user per topic, when it is free.

    Raises:
        ConfigError: the broker refuses the connection or, after all topics were tried, one of these.
        OutputError: the broker cannot be reached, does not answer, or ends the connection.
    """
    address = "{}:{}".format(*settings.address)
    status = settings.topic("status")
    rejected = []
    try:
        with RequestClient(settings, "forget", timeout_s) as client:
            client.connect()
            # What is retained there arrives before the next answer.
            client.subscribe(status)
            client.subscribe(home_assistant.entity_topics(settings))
            own = (home_assistant.discovery_topic(settings), *messages.retained_topics(settings))
            # Only where there is something: few brokers need these topics, and few users may write them.
            single = (topic for topic, payload in client.received if payload and topic != status)
            for topic in chain(own, single):
                reason = client.publish(topic, retain=True)
                if reason.is_failure:
                    rejected.append(faults.describe_rejected(reason, topic, settings))
                else:
                    yield f"{topic}: nothing is kept any more"
            if (status, messages.ONLINE.encode()) in client.received:
                yield (
                    f"{settings.device} was online: if it still runs it announces itself again; stop it first"
                )
    except EdgeError:  # some of these are OSErrors as well
        raise
    except OSError as error:
        raise OutputError(f"{address}: {faults.connect_failure(error, settings).text}") from error
    if rejected:
        raise ConfigError(f"{address}: {'; '.join(rejected)}")
