"""A thousand devices on one Mosquitto: loss, latency and load.

    python -m tests.support.fleet --devices 1000 --seconds 30

Each device is a real sink with a connection of its own, and says as much as one that sees somebody:
faces and a changed state every second, statistics every ten. One subscriber hears them all.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from edge.labels import EMOTIONS, GENDERS
from edge.output.mqtt.settings import MqttSettings
from edge.output.mqtt.sink import MqttSink
from edge.types import Box, Detection, Face, Frame, Rates, Reading, Report, Scores
from tests.support.broker import Broker

_TICKS = 100  # the clock's, a second: how exactly /proc tells of processor time
_GROUP = 250  # devices of a process
FRAME = Frame(0, 0.0, np.zeros((1, 1), np.uint8))


def report(number: int) -> Report:
    """A face whose emotion is another every second; its time is the sender's clock."""
    values = [0.02] * len(EMOTIONS)
    values[number % len(EMOTIONS)] = 1 - 0.02 * (len(EMOTIONS) - 1)
    emotion, gender = Scores(EMOTIONS, tuple(values)), Scores(GENDERS, (0.25, 0.75))
    face = Face(
        1,
        Detection(Box(9, 9, 90, 90)),
        Reading(emotion.label, emotion, emotion),
        Reading("female", gender, gender),
    )
    return Report(number, time.monotonic(), Rates(15.0, 15.0, 0), (face,))


class Subscriber:
    """Counts what it hears, by kind, and how old the faces are when they come."""

    def __init__(self, port: int) -> None:
        self.counts: Counter[str] = Counter()
        self.online: set[str] = set()
        self.ages_ms: list[float] = []
        self.client = paho.Client(CallbackAPIVersion.VERSION2, "fleet_ear")
        self.client.on_connect = lambda client, *_: client.subscribe([("fleet/#", 1)])
        self.client.on_message = self._hear
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()

    def _hear(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        _, device, kind = message.topic.split("/", 2)
        self.counts[kind] += 1
        if kind == "faces":
            self.ages_ms.append(1e3 * (time.monotonic() - json.loads(message.payload)["time"]))
        elif kind == "status" and message.payload == b"online":
            self.online.add(device)


def cpu_s(pid: int | None) -> float:
    """Processor seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def devices(port: int, first: int, count: int, seconds: int, gates: tuple[Any, Any], lost: Any) -> None:
    """Some of the fleet, in a process of their own: a thousand threads of one Python wait for each other.

    Args:
        port: the broker's.
        first: number of the first device.
        count: how many they are.
        seconds: for which they speak.
        gates: opened to begin, and to end.
        lost: where the messages are added that they dropped.
    """
    threading.stack_size(256 * 1024)
    sinks = [
        MqttSink(
            MqttSettings(
                host="127.0.0.1", port=port, base="fleet", device=f"d{number}", discovery="", interval_s=0.0
            )
        )
        for number in range(first, first + count)
    ]
    begin, end = gates
    begin.wait()
    began_s = time.monotonic()
    for second in range(seconds):
        for place, sink in enumerate(sinks):
            # Spread over the second, as devices are.
            if (early_s := began_s + second + place / count - time.monotonic()) > 0:
                time.sleep(early_s)
            sink.send(FRAME, report(second))
    end.wait()
    with lost.get_lock():
        lost.value += sum(sink.dropped for sink in sinks)
    os._exit(0)  # without a thousand goodbyes


def main() -> None:
    """Runs the fleet, and says what was seen."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--devices", type=int, default=1000)
    parser.add_argument("--seconds", type=int, default=30)
    options = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    gates, lost = (context.Event(), context.Event()), context.Value("i", 0)
    with tempfile.TemporaryDirectory() as folder:
        broker = Broker(Path(folder), "max_queued_messages 100000")
        ear = Subscriber(broker.port)
        begun_s = time.monotonic()
        groups = [
            context.Process(
                target=devices,
                args=(broker.port, first, min(_GROUP, options.devices - first), options.seconds, gates, lost),
            )
            for first in range(0, options.devices, _GROUP)
        ]
        for group in groups:
            group.start()
        while len(ear.online) < options.devices and time.monotonic() - begun_s < 120:
            time.sleep(0.1)
        print(f"{len(ear.online)} of {options.devices} online after {time.monotonic() - begun_s:.1f} s")
        ear.counts.clear()
        ear.ages_ms.clear()
        before_s, began_s = cpu_s(broker.pid), time.monotonic()
        gates[0].set()
        sent = options.seconds * options.devices
        while ear.counts["faces"] < sent and time.monotonic() - began_s < options.seconds + 20:
            time.sleep(0.1)
        took_s = time.monotonic() - began_s
        load = (cpu_s(broker.pid) - before_s) / took_s
        gates[1].set()
        for group in groups:
            group.join()
        p50, p95, p99 = np.percentile(ear.ages_ms, (50, 95, 99))
        print(f"{sum(ear.counts.values())} messages heard in {took_s:.0f} s: {dict(ear.counts)}")
        print(
            f"faces: {sent} sent, {sent - ear.counts['faces']} lost; age {p50:.0f} / {p95:.0f} / {p99:.0f} ms"
        )
        print(f"dropped by devices: {lost.value}; broker: {load:.2f} cores")
        broker.kill()


if __name__ == "__main__":
    main()
