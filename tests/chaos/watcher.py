"""An independent listener on the broker itself, which sees what Home Assistant would see."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

_RETRY_S = 0.05
_LIMIT_S = 60
_JSON = ("event", "state", "faces", "stats")


@dataclass(frozen=True)
class Seen:
    """A message as it arrived.

    Attributes:
        name: Last part of the topic, such as `state`.
        text: The payload.
        fields: The payload's fields; for a word, those of the user properties.
        retained: Whether the broker had kept it.
        at_s: Monotonic time of arrival.
        connection: Number of this listener's connection.
    """

    name: str
    text: str
    fields: dict[str, Any]
    retained: bool
    at_s: float
    connection: int


class Watcher:
    """Connects to a broker again and again, sooner than the program does, and receives all of its messages.

    Attributes:
        view: The last message of every topic on the present connection.
        connections: Number of connections so far on which it has subscribed.
    """

    def __init__(self, port: int, device: str) -> None:
        self.view: dict[str, Seen] = {}
        self.connections = 0
        self._port = port
        self._prefix = f"emotiny/{device}/"
        self._new: list[Seen] = []
        self._changed = threading.Condition()
        self._closed = threading.Event()
        self._client: paho.Client | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def take(self) -> list[Seen]:
        """Returns the messages since the last call."""
        with self._changed:
            new, self._new = self._new, []
            return new

    def wait_for_connection(self, number: int) -> None:
        """Waits until it has subscribed on so many connections."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.connections >= number, _LIMIT_S), "no connection"

    def text(self, name: str) -> str | None:
        """Returns the last payload of a topic; None without one."""
        seen = self.view.get(name)
        return seen.text if seen else None

    def publish(self, topic: str, payload: str, *, own: bool = True) -> None:
        """Publishes below the device's topics, or anywhere."""
        if self._client is not None:
            self._client.publish((self._prefix if own else "") + topic, payload, 1)

    def close(self) -> None:
        self._closed.set()
        self._thread.join(5)

    def _run(self) -> None:
        while not self._closed.is_set():
            client = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
            client.on_connect = self._on_connect
            client.on_subscribe = self._on_subscribe
            client.on_message = self._on_message
            try:
                client.connect("127.0.0.1", self._port, keepalive=600)
                self._client = client
                while not self._closed.is_set() and client.loop(_RETRY_S) == paho.MQTT_ERR_SUCCESS:
                    pass
            except OSError:
                pass
            self._client = None
            with self._changed:
                self.view = {}
            opened = client.socket()
            if opened is not None:
                opened.close()
            self._closed.wait(_RETRY_S)

    def _on_connect(self, client: paho.Client, *_: object) -> None:
        # Quality of service 0, so that there is nothing to acknowledge to a broker that is killed: its system
        # would throw away what this client has not read yet.
        client.subscribe(self._prefix + "#", 0)

    def _on_subscribe(self, *_: object) -> None:
        with self._changed:
            self.connections += 1
            self._changed.notify_all()

    def _on_message(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        text = message.payload.decode()
        properties = getattr(message.properties, "UserProperty", [])
        name = message.topic[len(self._prefix) :]
        fields = json.loads(text) if name in _JSON and text else dict(properties)
        seen = Seen(name, text, fields, message.retain, time.monotonic(), self.connections)
        with self._changed:
            self.view[name] = seen
            self._new.append(seen)
