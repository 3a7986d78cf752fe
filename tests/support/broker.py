"""A real Mosquitto on a loopback port, and a client that shares no code with the package."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

_MOSQUITTO = shutil.which("mosquitto", path=os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin")
needs_mosquitto = pytest.mark.skipif(_MOSQUITTO is None, reason="no mosquitto: apt-get install mosquitto")
LIMIT_S = 30


def free_port() -> int:
    """Returns a TCP port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for_port(port: int, limit_s: float = LIMIT_S) -> bool:
    """Waits until somebody listens on a port; returns whether that happened in time."""
    until_s = time.monotonic() + limit_s
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return True
        except OSError:
            if time.monotonic() > until_s:
                return False
            time.sleep(0.05)


class Broker:
    """Mosquitto, which can be killed and started again on the same port.

    Attributes:
        port: Port on which it listens.
    """

    def __init__(self, folder: Path, *lines: str, port: int | None = None) -> None:
        """Starts the broker.

        Args:
            folder: Folder for its configuration.
            lines: Further lines of its configuration.
            port: Port; None for a free one.
        """
        self.port = port or free_port()
        self._file = folder / "mosquitto.conf"
        user = ["user root"] if os.geteuid() == 0 else []
        anonymous = (
            []
            if any("password_file" in line or "require_cert" in line for line in lines)
            else ["allow_anonymous true"]
        )
        self._file.write_text(
            "\n".join([f"listener {self.port} 127.0.0.1", "persistence false", *anonymous, *user, *lines, ""])
        )
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Starts the broker, and waits until it accepts connections."""
        self._process = subprocess.Popen(
            [str(_MOSQUITTO), "-c", str(self._file)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until_s = time.monotonic() + LIMIT_S
        while not wait_for_port(self.port, 0.0):
            assert self._process.poll() is None, f"mosquitto -c {self._file} failed"
            assert time.monotonic() < until_s, "the broker does not start"
            time.sleep(0.05)

    @property
    def pid(self) -> int | None:
        """Process id; None while the broker is not running."""
        return self._process.pid if self._process else None

    def kill(self) -> None:
        """Ends the broker as a power failure would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


class Listener:
    """Receives all messages, retained ones included, in order.

    Attributes:
        received: Messages so far; the retained ones are there as soon as the listener is made.
        client: The paho client, also to publish with.
    """

    def __init__(
        self,
        port: int,
        *topics: str,
        login: tuple[str, str] | None = None,
        tls: dict[str, Any] | None = None,
        version: MQTTProtocolVersion = MQTTProtocolVersion.MQTTv311,
    ) -> None:
        """Connects and subscribes.

        Args:
            port: Port of the broker.
            topics: Topic filters; none for all topics.
            login: User name and password.
            tls: Arguments for paho's `tls_set`.
            version: Version of MQTT; properties of messages come with version 5 only.
        """
        self.received: list[paho.MQTTMessage] = []
        self._changed = threading.Condition()
        self.client = paho.Client(CallbackAPIVersion.VERSION2, protocol=version)
        if login:
            self.client.username_pw_set(*login)
        if tls:
            self.client.tls_set(**tls)
        self.client.on_connect = lambda client, *_: client.subscribe(
            [(topic, 1) for topic in topics or ("#",)]
        )
        self._acknowledged: set[int] = set()
        self.client.on_subscribe = lambda _client, _data, number, *_: self._acknowledge(number)
        self.client.on_message = self._on_message
        self.client.connect("localhost" if tls else "127.0.0.1", port)
        self.client.loop_start()
        with self._changed:
            assert self._changed.wait_for(lambda: self._acknowledged, LIMIT_S)
        # The broker sends retained messages before it acknowledges another subscription.
        _, barrier = self.client.subscribe("emotiny-tests/barrier", 1)
        with self._changed:
            assert self._changed.wait_for(lambda: barrier in self._acknowledged, LIMIT_S)

    def wait(self, wanted, limit_s: float = LIMIT_S) -> paho.MQTTMessage:
        """Waits for the first message, received or to come, for which `wanted` is true, and returns it."""
        found: list[paho.MQTTMessage] = []

        def search() -> bool:
            found[:] = [message for message in self.received if wanted(message)][:1]
            return bool(found)

        with self._changed:
            assert self._changed.wait_for(search, limit_s), [(m.topic, m.payload) for m in self.received]
        return found[0]

    def wait_topic(self, topic: str, payload: str | None = None) -> paho.MQTTMessage:
        """Waits for the first message on a topic, with a certain payload if one is given, and returns it."""
        return self.wait(
            lambda message: message.topic == topic and payload in (None, message.payload.decode())
        )

    def clear(self) -> None:
        """Forgets the messages received so far."""
        with self._changed:
            self.received.clear()

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def _acknowledge(self, number: int) -> None:
        with self._changed:
            self._acknowledged.add(number)
            self._changed.notify_all()

    def _on_message(self, _client, _data, message: paho.MQTTMessage) -> None:
        with self._changed:
            self.received.append(message)
            self._changed.notify_all()


def wait_until(condition, limit_s: float = LIMIT_S):
    """Waits until a condition returns something true, and returns that."""
    until_s = time.monotonic() + limit_s
    while not (value := condition()):
        assert time.monotonic() < until_s, "the condition does not become true"
        time.sleep(0.005)
    return value


def payload_of(message: paho.MQTTMessage) -> Any:
    """Decodes a payload of JSON."""
    return json.loads(message.payload)


def retained_on(port: int, login: tuple[str, str] | None = None) -> dict[str, paho.MQTTMessage]:
    """Returns the retained messages of a broker, by topic."""
    listener = Listener(port, login=login)
    listener.close()
    return {message.topic: message for message in listener.received if message.retain}
