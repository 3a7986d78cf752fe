"""The connection: a sink that never waits, and a thread that sends what the broker takes."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import paho.mqtt.client as paho

from edge.mqtt import messages
from edge.mqtt.client import make_client
from edge.mqtt.messages import Message, Reporter
from edge.mqtt.settings import MqttSettings
from edge.sinks import Waiting, refuse_closed
from edge.types import Frame, Report

logger = logging.getLogger(__name__)

# Sent and not acknowledged; more wait here, where the oldest can be dropped.
_UNDERWAY = 20
_CLOSE_S = 2.0
_FIRST_DELAY_S, _LAST_DELAY_S = (1.0, 3.0), (30.0, 60.0)
_MOST_COMMAND_BYTES = 16


class MqttSink:
    """Sends reports to a broker, and takes its commands.

    Attributes:
        dropped: messages that waited too long and went, the oldest first.
    """

    def __init__(
        self,
        settings: MqttSettings,
        switch: Callable[[bool], None] = lambda on: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begins to connect and returns at once; a broker that is away is tried again for ever.

        Args:
            settings: the connection's; `host` is not empty.
            switch: called in another thread when somebody switches reading on or off.
            clock: seconds, never falling.

        Raises:
            ConfigError: a certificate or key is none.
        """
        self.dropped = 0
        self._settings = settings
        self._switch = switch
        self._clock = clock
        self._reporter = Reporter(settings)
        self._changed = threading.Condition()  # guards all below
        self._waiting: deque[Message] = deque()
        self._urgent: deque[Message] = deque()  # said on every connect, before all that waits
        # What the broker keeps, by topic: said again on every connect, for it may have been another one.
        self._kept: dict[str, Message] = {}
        self._connected = False
        self._closed = False
        self._refused = ""
        self._client = self._made()
        self.switched(on=True)
        self._client.connect_async(*settings.address, keepalive=settings.keepalive_s)
        self._client.loop_start()
        self._sender = threading.Thread(target=self._send_all, name="MQTT sender", daemon=True)
        self._sender.start()

    def send(self, frame: Frame, report: Report) -> None:
        """Queues what the report gives cause to say; never waits. The frame is not looked at."""
        refuse_closed(self, self._closed)
        self._queue([messages.camera(self._settings, messages.ONLINE)], only_new=True)
        now_s = self._clock()
        self._queue(
            self._reporter.messages(report, now_s, {"unsent": len(self._waiting), "lost": self.dropped})
        )

    def wait(self, why: Waiting) -> None:
        """Says that the camera is gone, once."""
        if why == "gone":
            self._camera_gone()

    def _camera_gone(self) -> None:
        """Says that there are no pictures, and so nobody."""
        offline = messages.camera(self._settings, messages.OFFLINE)
        if self._kept.get(offline.topic) != offline:
            self._queue(self._reporter.goodbye(self._clock()))
            self._queue([offline])

    def switched(self, *, on: bool) -> None:
        """Says whether faces are read, and that nobody is seen where they are not."""
        if not on:
            self._queue(self._reporter.goodbye(self._clock()))
        self._queue([messages.enabled(self._settings, on=on)], only_new=True)

    def close(self) -> None:
        """Says goodbye where the broker is there, within two seconds; may be called again."""
        if self._closed:
            return
        until_s = time.monotonic() + _CLOSE_S
        self._camera_gone()
        self._queue([messages.status(self._settings, messages.OFFLINE)])
        with self._changed:
            self._changed.wait_for(
                lambda: not (self._waiting or self._urgent) or not self._connected, _CLOSE_S
            )
            self._closed = True
            self._changed.notify_all()
        self._sender.join(max(0.1, until_s - time.monotonic()))
        self._client.disconnect()
        self._client.loop_stop()

    def _made(self) -> paho.Client:
        client = make_client(self._settings)
        will = messages.status(self._settings, messages.OFFLINE)
        client.will_set(will.topic, will.payload, will.qos, will.retain)
        client.max_inflight_messages_set(_UNDERWAY)
        client.max_queued_messages_set(2 * _UNDERWAY)
        # A thousand devices that lost one broker must not come back in one moment.
        client.reconnect_delay_set(random.uniform(*_FIRST_DELAY_S), random.uniform(*_LAST_DELAY_S))  # type: ignore[arg-type]
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        return client

    def _on_connect(self, client: paho.Client, _: Any, __: Any, reason: Any, ___: Any = None) -> None:
        if reason.is_failure:
            if str(reason) != self._refused:
                self._refused = str(reason)
                logger.error("MQTT broker %s:%d refuses: %s", *self._settings.address, reason)
            return
        self._refused = ""
        logger.info("MQTT broker %s:%d: connected", *self._settings.address)
        client.subscribe(self._settings.topic("enabled/set"), qos=1)
        if self._settings.discovery:
            client.subscribe(f"{self._settings.discovery}/status", qos=1)
        with self._changed:
            self._connected = True
            kept = [each for each in self._kept.values() if "/config" not in each.topic]
        self._queue([messages.status(self._settings, messages.ONLINE), *kept], urgent=True)
        self._announce()

    def _on_disconnect(self, _: paho.Client, __: Any, ___: Any, reason: Any, ____: Any = None) -> None:
        with self._changed:
            lost, self._connected = self._connected, False
            self._changed.notify_all()
        if lost and not self._closed:
            logger.warning("MQTT broker %s:%d: connection lost (%s)", *self._settings.address, reason)

    def _on_message(self, _: paho.Client, __: Any, message: paho.MQTTMessage) -> None:
        if message.topic == self._settings.topic("enabled/set"):
            on = messages.parse_enabled(bytes(message.payload))
            if on is None:
                said = message.payload[:_MOST_COMMAND_BYTES]
                logger.warning("MQTT: %s %r: expected ON or OFF", message.topic, said)
            else:
                self._switch(on)
                self.switched(on=on)
        elif message.payload == messages.ONLINE.encode():  # Home Assistant was started
            self._announce()

    def _announce(self) -> None:
        if self._settings.discovery:
            self._queue([messages.discovery(self._settings)], urgent=True)

    def _queue(self, new: Iterable[Message], *, urgent: bool = False, only_new: bool = False) -> None:
        with self._changed:
            for message in new:
                if message.retain:
                    if only_new and self._kept.get(message.topic) == message:
                        continue
                    self._keep(message)
                if urgent:
                    self._urgent.append(message)
                elif message.qos or self._connected:
                    self._waiting.append(message)
                else:
                    self.dropped += 1  # of use at its time only
            while len(self._waiting) > self._settings.queue:
                self._waiting.popleft()
                self.dropped += 1
            self._changed.notify_all()

    def _keep(self, message: Message) -> None:
        """What the broker keeps is kept here too; a newer one takes the place of one that still waits."""
        if message.topic != self._settings.topic("status"):
            self._kept[message.topic] = message
        for queue in (self._waiting, self._urgent):
            if any(each.topic == message.topic for each in queue):
                rest = [each for each in queue if each.topic != message.topic]
                queue.clear()
                queue.extend(rest)

    def _next(self) -> Message | None:
        """What is to be sent next, once the broker is there; None at the end."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._closed or (self._connected and (self._urgent or self._waiting))
            )
            if not self._connected or not (self._urgent or self._waiting):
                return None
            message = (self._urgent or self._waiting).popleft()
            self._changed.notify_all()
            return message

    def _send_all(self) -> None:
        underway: deque[paho.MQTTMessageInfo] = deque()
        while (message := self._next()) is not None:
            info = self._client.publish(message.topic, message.payload, message.qos, message.retain)
            if info.rc == paho.MQTT_ERR_SUCCESS:
                underway.append(info)
            elif info.rc == paho.MQTT_ERR_QUEUE_SIZE or not message.qos:
                self.dropped += 1  # with the connection lost in between, paho keeps those of QoS 1
            while underway and (len(underway) > _UNDERWAY or _done(underway[0])):
                if not _done(first := underway.popleft()):
                    # A broker that takes nothing is found out by its silence, and then all begins anew.
                    first.wait_for_publish(self._settings.keepalive_s)
        for info in underway:
            if not _done(info):
                info.wait_for_publish(_CLOSE_S)


def _done(info: paho.MQTTMessageInfo) -> bool:
    """Whether nothing need be waited for: it arrived, or went with the connection."""
    return info.rc != paho.MQTT_ERR_SUCCESS or info.is_published()
