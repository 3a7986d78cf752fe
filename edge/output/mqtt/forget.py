"""Takes back what a device had a broker keep, so that Home Assistant and the broker forget it."""

from __future__ import annotations

from collections.abc import Iterator

from edge.errors import ConfigError, EdgeError, OutputError
from edge.output.mqtt import faults, home_assistant, messages
from edge.output.mqtt.requests import RequestClient
from edge.output.mqtt.settings import MqttSettings


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
        OutputError: the broker cannot be reached, does not answer, or ends the connection.
    """
    address = "{}:{}".format(*settings.address)
    status = settings.topic("status")
    refused = []
    try:
        with RequestClient(settings, "forget", limit_s) as talk:
            talk.connect()
            talk.subscribe(status)  # what is kept there comes before the next answer
            for topic in (home_assistant.discovery_topic(settings), *messages.retained_topics(settings)):
                reason = talk.publish(topic, retain=True)
                if reason.is_failure:
                    refused.append(faults.unpublished(reason, topic, settings))
                else:
                    yield f"{topic}: nothing is kept any more"
            if (status, messages.ONLINE.encode()) in talk.heard:
                yield (
                    f"{settings.device} was online: if it still runs it announces itself again; stop it first"
                )
    except EdgeError:  # some of which are an OSError, too
        raise
    except OSError as error:
        raise OutputError(f"{address}: {faults.unreachable(error, settings).text}") from error
    if refused:
        raise ConfigError(f"{address}: {'; '.join(refused)}")
