"""Asks a broker one thing after the other, and waits for each answer."""

from __future__ import annotations

import logging
import time
from types import TracebackType
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import LogLevel
from paho.mqtt.reasoncodes import ReasonCode

from edge.errors import ConfigError, OutputError
from edge.output.mqtt import faults
from edge.output.mqtt.client import make_client
from edge.output.mqtt.faults import Fault
from edge.output.mqtt.settings import MqttSettings

logger = logging.getLogger(__name__)

_TICK_S = 0.2


class RequestClient:
    """One connection, which is not begun anew.

    paho's own thread would do that, and a broker that closes on what it forbids would seem to have taken it.

    Attributes:
        received: topic and payload of what came.
    """

    def __init__(self, settings: MqttSettings, purpose: str, timeout_s: float) -> None:
        """Nothing is connected yet.

        Args:
            settings: the connection's.
            purpose: as for `make_client`.
            timeout_s: how long each answer may take.

        Raises:
            ConfigError: a certificate, key or password cannot be read.
        """
        self.received: list[tuple[str, bytes]] = []
        self._settings = settings
        self._timeout_s = timeout_s
        self._is_connected = False
        self._answers: dict[tuple[str, int | None], ReasonCode] = {}
        self._fault: Fault | None = None
        self._last_error = ""
        client = self._client = make_client(settings, purpose)
        client.on_connect = lambda _, __, ___, reason, ____: self._record_answer("connect", 0, reason)
        client.on_subscribe = lambda _, __, number, reasons, ___: self._record_answer(
            "subscribe", number, reasons[0]
        )
        client.on_publish = lambda _, __, number, reason, ___: self._record_answer("publish", number, reason)
        client.on_disconnect = self._on_disconnect
        client.on_message = lambda _, __, message: self.received.append(
            (message.topic, bytes(message.payload))
        )
        client.on_log = self._on_log

    def __enter__(self) -> RequestClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.disconnect()
        found = self._client.socket()
        if found is not None:
            found.close()

    def connect(self) -> None:
        """Connects and logs in.

        Raises:
            ConfigError: the broker refuses it.
            OutputError: it does not answer.
            OSError: it cannot be reached.
        """
        try:
            self._client.connect(*self._settings.address, keepalive=self._settings.keepalive_s)
        except OSError:
            raise
        except Exception as error:  # what paho's readers of a handshake may raise is not told
            raise OutputError(
                self._with_address(faults.connect_failure(error, self._settings).text)
            ) from error
        reason = self._wait_for_answer("connect", 0, faults.NO_ANSWER, "")
        if reason.is_failure:
            raise ConfigError(self._with_address(faults.refusal(reason, self._settings).text))
        self._is_connected = True

    def subscribe(self, topic: str) -> ReasonCode:
        """Listens to a topic, and hears what is kept there; gives what the broker said.

        Raises:
            OutputError: it does not answer.
        """
        number = self._client.subscribe(topic, qos=1)[1]
        return self._wait_for_answer("subscribe", number, f"does not answer a subscription to {topic}", "")

    def publish(self, topic: str, *, retain: bool = False) -> ReasonCode:
        """Says nothing, in no bytes, on a topic; gives what the broker said.

        Raises:
            OutputError: it does not answer.
        """
        number = self._client.publish(topic, b"", qos=1, retain=retain).mid
        silent = f"does not acknowledge a message on {topic}"
        return self._wait_for_answer(
            "publish", number, silent, f"; {faults.describe_unacknowledged(topic, self._settings)}"
        )

    def _wait_for_answer(self, kind: str, number: int | None, silent: str, ended: str) -> ReasonCode:
        """Waits for the answer to one question; what is said where none comes, or the connection ends."""
        until_s = time.monotonic() + self._timeout_s
        while (kind, number) not in self._answers:
            if self._fault is None and self._client.socket() is not None:
                self._step()
            if self._fault is None and self._client.socket() is None:
                self._fault = self._disconnection(None)
            if (kind, number) in self._answers:
                break
            if self._fault is not None:
                failure = ConfigError if self._fault.refused else OutputError
                raise failure(self._with_address(self._fault.text + ended))
            if time.monotonic() > until_s:
                raise OutputError(self._with_address(silent))
        return self._answers.pop((kind, number))

    def _step(self) -> None:
        try:
            self._client.loop(_TICK_S)
        except Exception as error:  # noqa: BLE001 - what paho's readers of nonsense may raise is not told
            logger.debug("MQTT: %r", error)
            self._fault = Fault(faults.NOT_MQTT)

    def _with_address(self, text: str) -> str:
        return "{}:{}: {}".format(*self._settings.address, text)

    def _disconnection(self, reason: ReasonCode | None) -> Fault:
        return faults.disconnection(
            reason, self._last_error, self._settings, was_connected=self._is_connected
        )

    def _record_answer(self, kind: str, number: int, reason: ReasonCode) -> None:
        self._answers[kind, number] = reason

    def _on_disconnect(self, _: paho.Client, __: Any, ___: Any, reason: Any, ____: Any = None) -> None:
        self._fault = self._fault or self._disconnection(reason)

    def _on_log(self, _: paho.Client, __: Any, level: int, text: str) -> None:
        if level == LogLevel.MQTT_LOG_ERR:
            self._last_error = text
