"""Everything a walk consists of: camera, network, broker, program and listener, and their states."""

from __future__ import annotations

import os
import re
import signal
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import Literal

from tests.chaos.camera import ScriptedCamera
from tests.chaos.network import Network
from tests.chaos.program import Program
from tests.chaos.watcher import Watcher
from tests.support.broker import Broker

DEVICE = "walker"
_START_S = 60
_QUEUE = 200
# Short limits, so that a walk need not wait for long: the shortest keep-alive that a user may choose, and a
# camera that counts as frozen after 6 s instead of 30.
FROZEN_S = 6
SETTINGS = {"mqtt.keepalive_s": "5", "mqtt.heartbeat_s": "5", "picture.frozen_s": str(FROZEN_S)}


class World:
    """The program and all it depends on.

    Attributes:
        broker_state: What the broker does.
        settings: What the settings file says, as TOML by key.
        is_file_valid: Whether the settings file can be used.
        is_stopped: Whether the program is stopped by SIGSTOP.
        is_reading: Whether reading is switched on.
        is_store_stale: Whether the broker began with an old store and has not heard of the program since.
        limit: Size in bytes of the largest packet that the broker takes; None for no limit.
        queue: Least number of events that the program kept since the world was last found in order.
        touched: What was changed since the world was last found in order, by name.
        credits: How many lines of each kind the faults so far may lead to.
        reloads: Monotonic times of signals to reload that the present process has received.
    """

    def __init__(self, folder: Path) -> None:
        """Starts everything.

        Args:
            folder: Empty folder for files.
        """
        self.folder = folder
        self.broker_state: Literal["up", "stopped", "killed"] = "up"
        self.settings = dict(SETTINGS)
        self.is_file_valid = True
        self.is_stopped = False
        self.is_reading = True
        self.is_store_stale = False
        self.limit: int | None = None
        self.queue = _QUEUE
        self.touched: set[str] = {"program", "camera"}
        self.credits: Counter[str] = Counter({"start": 1})
        self.reloads: list[float] = []
        self.camera = ScriptedCamera()
        self.broker = self._start_broker(None)
        self.network = Network(self.broker.port)
        self.watcher = Watcher(self.broker.port, DEVICE)
        self.watcher.wait_for_connection(1)
        self.settings_path = folder / "config.toml"
        self.write_settings()
        self.program = Program(folder, self._options())
        self.start_program()

    @property
    def configured_queue(self) -> int:
        """Events that the program keeps while there is no broker."""
        return int(self.settings.get("mqtt.queue", _QUEUE))

    @property
    def learns_limit(self) -> bool:
        """Whether the program learns the broker's limit from connections that end."""
        return self.limit is not None and self.settings.get("mqtt.version") == '"3.1.1"'

    def close(self) -> None:
        """Ends everything."""
        if self.program.code is None:
            self.program.kill()
        self.camera.close()
        self.network.set_mode("refusing")
        self.watcher.close()
        self.broker.kill()

    def write_settings(self) -> None:
        """Writes a settings file that can be used."""
        lines: dict[str, list[str]] = {}
        for key, value in self.settings.items():
            section, _, name = key.rpartition(".")
            lines.setdefault(section, []).append(f"{name} = {value}")
        text = "\n".join(f"[{section}]\n" + "\n".join(rows) for section, rows in sorted(lines.items()))
        self.replace_file(text.encode() + b"\n")
        self.is_file_valid = True
        self.queue = min(self.queue, self.configured_queue)

    def replace_file(self, content: bytes) -> None:
        """Writes any settings file, in one step as an editor does."""
        new = self.settings_path.with_suffix(".new")
        new.write_bytes(content)
        new.replace(self.settings_path)

    def start_program(self) -> None:
        """Starts the program, and waits until it handles signals, as systemd waits for a service."""
        self.program.start()
        self.is_stopped = False
        self.is_reading = True
        self.reloads.clear()
        until_s = time.monotonic() + _START_S
        while self.program.code is None and not self._handles_hangup():
            assert time.monotonic() < until_s, "the program does not start"
            time.sleep(0.02)

    def reload(self) -> None:
        """Tells the program to read its settings again."""
        self.reloads.append(time.monotonic())
        self.program.signal(signal.SIGHUP)

    def signal_broker(self, number: signal.Signals) -> None:
        """Sends a signal to the broker."""
        if self.broker.pid is not None:
            os.kill(self.broker.pid, number)

    def kill_broker(self) -> None:
        """Ends the broker as a power failure would; its port refuses connections."""
        self.broker.kill()
        self.network.set_mode("refusing")
        self.broker_state = "killed"

    def restart_broker(self, *, empty: bool, limit: int | None) -> None:
        """Starts the broker again after it was killed; the listener connects to it before the program can.

        Args:
            empty: Whether it has lost what it kept; else it has what it last stored, which may be old.
            limit: Size in bytes of the largest packet that it takes; None for no limit.
        """
        if empty:
            self._store.unlink(missing_ok=True)
        self.is_store_stale = not empty
        before = self.watcher.connections
        self.broker = self._start_broker(limit)
        self.watcher.wait_for_connection(before + 1)
        self.network.set_mode("open")
        self.broker_state, self.limit = "up", limit

    @property
    def _store(self) -> Path:
        return self.folder / "mosquitto.db"

    def _start_broker(self, limit: int | None) -> Broker:
        store = (
            "persistence true",
            f"persistence_location {self.folder}/",
            "autosave_on_changes true",
            "autosave_interval 1",
        )
        limits = [] if limit is None else [f"max_packet_size {limit}"]
        port = self.broker.port if hasattr(self, "broker") else None
        return Broker(self.folder, *store, *limits, port=port)

    def _handles_hangup(self) -> bool:
        try:
            status = Path(f"/proc/{self.program.pid}/status").read_text()
        except OSError:
            return False
        caught = re.search(r"^SigCgt:\s*(\w+)$", status, re.MULTILINE)
        return caught is not None and bool(int(caught[1], 16) & 1 << (signal.SIGHUP - 1))

    def _options(self) -> list[str]:
        # As flags, so that no settings file can lead the program astray.
        return [
            *("--source", f"http://127.0.0.1:{self.camera.port}/", "--reconnect", "--output", "jsonl"),
            *("--mqtt-host", "127.0.0.1", "--mqtt-port", str(self.network.port), "--mqtt-device", DEVICE),
            *("--config", str(self.settings_path)),
        ]


def pick_limit(random: Random) -> int | None:
    """Draws a broker's limit of the size of packets in bytes; every message of state fits."""
    return random.choice([None, None, None, 1000, 400])
