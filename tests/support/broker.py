"""A real Mosquitto on a loopback port, and a subscriber that knows nothing of the package."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

MOSQUITTO = shutil.which("mosquitto", path=os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin")
LIMIT_S = 30


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Broker:
    """Mosquitto; killed and started again at will, on one port."""

    def __init__(self, folder: Path, *lines: str, port: int | None = None) -> None:
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
        self._process = subprocess.Popen(
            [str(MOSQUITTO), "-c", str(self._file)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until_s = time.monotonic() + LIMIT_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                assert self._process.poll() is None, f"mosquitto -c {self._file} failed"
                assert time.monotonic() < until_s, "the broker does not start"
                time.sleep(0.05)

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


class Listener:
    """Hears everything, in order, and can wait for something; what is kept it has heard when it is made."""

    def __init__(
        self, port: int, *topics: str, login: tuple[str, str] | None = None, tls: dict[str, Any] | None = None
    ) -> None:
        self.heard: list[paho.MQTTMessage] = []
        self._changed = threading.Condition()
        self.client = paho.Client(CallbackAPIVersion.VERSION2)
        if login:
            self.client.username_pw_set(*login)
        if tls:
            self.client.tls_set(**tls)
        self.client.on_connect = lambda client, *_: client.subscribe(
            [(topic, 1) for topic in topics or ("#",)]
        )
        self._acknowledged: set[int] = set()
        self.client.on_subscribe = lambda _client, _data, number, *_: self._acknowledge(number)
        self.client.on_message = self._hear
        self.client.connect("localhost" if tls else "127.0.0.1", port)
        self.client.loop_start()
        with self._changed:
            assert self._changed.wait_for(lambda: self._acknowledged, LIMIT_S)
        # What the broker kept comes before it answers this.
        _, barrier = self.client.subscribe("emotiny-tests/barrier", 1)
        with self._changed:
            assert self._changed.wait_for(lambda: barrier in self._acknowledged, LIMIT_S)

    def wait(self, wanted, limit_s: float = LIMIT_S) -> paho.MQTTMessage:
        """The first message, heard or to come, of which `wanted` is true."""
        found: list[paho.MQTTMessage] = []

        def look() -> bool:
            found[:] = [message for message in self.heard if wanted(message)][:1]
            return bool(found)

        with self._changed:
            assert self._changed.wait_for(look, limit_s), [(m.topic, m.payload) for m in self.heard]
        return found[0]

    def topic(self, topic: str, payload: str | None = None) -> paho.MQTTMessage:
        return self.wait(
            lambda message: message.topic == topic and payload in (None, message.payload.decode())
        )

    def forget(self) -> None:
        with self._changed:
            self.heard.clear()

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def _acknowledge(self, number: int) -> None:
        with self._changed:
            self._acknowledged.add(number)
            self._changed.notify_all()

    def _hear(self, _client, _data, message: paho.MQTTMessage) -> None:
        with self._changed:
            self.heard.append(message)
            self._changed.notify_all()


def until(wanted, limit_s: float = LIMIT_S):
    """Waits for something to become true, and gives it."""
    until_s = time.monotonic() + limit_s
    while not (found := wanted()):
        assert time.monotonic() < until_s, "it does not come true"
        time.sleep(0.02)
    return found


def kept_on(port: int, login: tuple[str, str] | None = None) -> dict[str, paho.MQTTMessage]:
    """What a broker keeps, by topic."""
    later = Listener(port, login=login)
    later.close()
    return {message.topic: message for message in later.heard if message.retain}
