"""Asks a broker one question at a time and waits for each answer."""

from __future__ import annotations

import time
from types import TracebackType

from paho.mqtt.enums import LogLevel
from paho.mqtt.reasoncodes import ReasonCode

from edge.errors import ConfigError, OutputError
from edge.output.mqtt import faults
from edge.output.mqtt.callbacks import CallbackQueue
from edge.output.mqtt.client import make_client
from edge.output.mqtt.faults import Fault
from edge.output.mqtt.settings import MqttSettings

_STEP_S = 0.2


class RequestClient:
    """A connection for questions, which is not opened again when it is lost.

    paho's own thread would reconnect, and a broker that closes the connection on a forbidden message would
    seem to have accepted it.

    Attributes:
        received: Topic and payload of every message received.
        largest_packet: Size in bytes of the largest packet that the broker takes; None if it names none.
    """

    def __init__(self, settings: MqttSettings, purpose: str, timeout_s: float) -> None:
        """Makes a client that is not connected yet.

        Args:
            settings: Settings of the connection.
            purpose: Suffix of the client's name, see `make_client`.
            timeout_s: Seconds that the broker may take for each answer.

        Raises:
            ConfigError: a certificate, key or password file cannot be used.
        """
        self.received: list[tuple[str, bytes]] = []
        self.largest_packet: int | None = None
        self._settings = settings
        self._timeout_s = timeout_s
        self._is_connected = False
        self._answers: dict[tuple[str, int | None], ReasonCode] = {}
        self._fault: Fault | None = None
        self._last_error = ""
        self._callbacks = CallbackQueue()
        client = self._client = make_client(settings, purpose)
        client.on_connect = self._callbacks.deferred(self._on_connect)
        client.on_subscribe = self._callbacks.deferred(self._on_subscribe)
        client.on_publish = self._callbacks.deferred(self._on_publish)
        client.on_disconnect = self._callbacks.deferred(self._on_disconnect)
        client.on_log = self._callbacks.deferred(self._on_log)
        # Decoded here, inside paho: a topic that is not UTF-8 is the broker's error.
        client.on_message = lambda _, __, message: self.received.append(
            (message.topic, bytes(message.payload))
        )

    def __enter__(self) -> RequestClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.disconnect()
        opened = self._client.socket()
        if opened is not None:
            opened.close()

    def connect(self) -> None:
        """Connects and logs in.

        Raises:
            ConfigError: the broker refuses the connection.
            OutputError: the broker does not answer.
            OSError: the broker cannot be reached.
        """
        try:
            self._client.connect(*self._settings.address, keepalive=self._settings.keepalive_s)
        except OSError:
            raise
        except Exception as error:  # a handshake with another protocol may raise anything
            raise OutputError(
                self._with_address(faults.connect_failure(error, self._settings).text)
            ) from error
        reason = self._wait_for_answer("connect", 0, faults.NO_ANSWER)
        if reason.is_failure:
            raise ConfigError(self._with_address(faults.refusal(reason, self._settings).text))
        self._is_connected = True

    def subscribe(self, topic: str) -> ReasonCode:
        """Subscribes to a topic; its retained message arrives before the next answer.

        Returns:
            The broker's answer.

        Raises:
            OutputError: the broker does not answer, or ends the connection.
        """
        number = self._client.subscribe(topic, qos=1)[1]
        return self._wait_for_answer("subscribe", number, f"does not answer a subscription to {topic}")

    def publish(self, topic: str, *, retain: bool = False) -> ReasonCode:
        """Publishes an empty message.

        Returns:
            The broker's answer.

        Raises:
            OutputError: the broker does not answer, or ends the connection.
        """
        number = self._client.publish(topic, b"", qos=1, retain=retain).mid
        return self._wait_for_answer(
            "publish",
            number,
            f"does not acknowledge a message on {topic}",
            f"; {faults.describe_unacknowledged(topic, self._settings)}",
        )

    def _wait_for_answer(
        self, kind: str, number: int | None, no_answer: str, disconnected: str = ""
    ) -> ReasonCode:
        """Waits for the answer to one question.

        Args:
            kind: Kind of question.
            number: paho's number of the question; 0 for "connect".
            no_answer: Error text if the time is over.
            disconnected: Added to the error text if the connection ends.
        """
        give_up_s = time.monotonic() + self._timeout_s
        while True:
            self._callbacks.run()
            if self._fault is None and self._client.socket() is not None:
                self._step()
            if self._fault is None and self._client.socket() is None:
                self._fault = self._disconnection(None)
            if (kind, number) in self._answers:
                return self._answers.pop((kind, number))
            if self._fault is not None:
                error = ConfigError if self._fault.refused else OutputError
                raise error(self._with_address(self._fault.text + disconnected))
            if time.monotonic() > give_up_s:
                raise OutputError(self._with_address(no_answer))

    def _step(self) -> None:
        error = self._callbacks.call(self._client.loop, _STEP_S)
        if error is not None:
            self._fault = faults.unreadable(error)

    def _with_address(self, text: str) -> str:
        return "{}:{}: {}".format(*self._settings.address, text)

    def _disconnection(self, reason: ReasonCode | None) -> Fault:
        return faults.disconnection(
            reason, self._last_error, self._settings, was_connected=self._is_connected
        )

    def _on_connect(self, _flags: object, reason: ReasonCode, properties: object) -> None:
        self.largest_packet = getattr(properties, "MaximumPacketSize", None)
        self._answers["connect", 0] = reason

    def _on_subscribe(self, number: int, reasons: list[ReasonCode], _properties: object) -> None:
        if reasons:
            self._answers["subscribe", number] = reasons[0]
        else:
            self._fault = Fault(faults.NOT_MQTT)

    def _on_publish(self, number: int, reason: ReasonCode, _properties: object) -> None:
        self._answers["publish", number] = reason

    def _on_disconnect(self, _flags: object, reason: ReasonCode, _properties: object) -> None:
        self._fault = self._fault or self._disconnection(reason)

    def _on_log(self, level: int, text: str) -> None:
        if level == LogLevel.MQTT_LOG_ERR:
            self._last_error = text
