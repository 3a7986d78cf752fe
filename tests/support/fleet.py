"""A thousand devices on one Mosquitto: loss, latency and load.

    python -m tests.support.fleet --devices 1000 --seconds 30

Each device is a real sink with a connection of its own. It publishes as much as a device that sees a face:
faces and a changed state every second, statistics every ten seconds. One subscriber receives everything.
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

_TICKS_PER_S = 100  # the unit of processor time in /proc
_GROUP = 250  # devices per process
FRAME = Frame(0, 0.0, np.zeros((1, 1), np.uint8))


def report(number: int) -> Report:
    """Returns a report of now with one face, whose emotion depends on the number."""
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
    """Counts messages by kind, and measures the age of the faces when they arrive."""

    def __init__(self, port: int) -> None:
        self.counts: Counter[str] = Counter()
        self.online: set[str] = set()
        self.ages_ms: list[float] = []
        self.client = paho.Client(CallbackAPIVersion.VERSION2, "fleet_subscriber")
        self.client.on_connect = lambda client, *_: client.subscribe([("fleet/#", 1)])
        self.client.on_message = self._on_message
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()

    def _on_message(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        _, device, kind = message.topic.split("/", 2)
        self.counts[kind] += 1
        if kind == "faces":
            self.ages_ms.append(1e3 * (time.monotonic() - json.loads(message.payload)["time"]))
        elif kind == "status" and message.payload == b"online":
            self.online.add(device)


def cpu_s(pid: int | None) -> float:
    """Returns the processor time of a process so far, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def devices(port: int, first: int, count: int, seconds: int, gates: tuple[Any, Any], lost: Any) -> None:
    """Runs a part of the fleet in a process of its own; a thousand threads in one process are too many.

    Args:
        port: Port of the broker.
        first: Number of the first device.
        count: Number of devices.
        seconds: Seconds for which they publish.
        gates: Events that let the devices begin and end.
        lost: Counter to which the dropped messages are added.
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
        for index, sink in enumerate(sinks):
            # Spread evenly over the second, because real devices do not publish at the same moment.
            if (early_s := began_s + second + index / count - time.monotonic()) > 0:
                time.sleep(early_s)
            sink.send(FRAME, report(second))
    end.wait()
    with lost.get_lock():
        lost.value += sum(sink.dropped for sink in sinks)
    os._exit(0)  # without closing a thousand sinks


def main() -> None:
    """Runs the fleet and prints what was measured."""
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
        subscriber = Subscriber(broker.port)
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
        while len(subscriber.online) < options.devices and time.monotonic() - begun_s < 120:
            time.sleep(0.1)
        print(
            f"{len(subscriber.online)} of {options.devices} online after {time.monotonic() - begun_s:.1f} s"
        )
        subscriber.counts.clear()
        subscriber.ages_ms.clear()
        before_s, began_s = cpu_s(broker.pid), time.monotonic()
        gates[0].set()
        sent = options.seconds * options.devices
        while subscriber.counts["faces"] < sent and time.monotonic() - began_s < options.seconds + 20:
            time.sleep(0.1)
        took_s = time.monotonic() - began_s
        load = (cpu_s(broker.pid) - before_s) / took_s
        gates[1].set()
        for group in groups:
            group.join()
        counts = subscriber.counts
        p50, p95, p99 = np.percentile(subscriber.ages_ms, (50, 95, 99))
        print(f"{sum(counts.values())} messages received in {took_s:.0f} s: {dict(counts)}")
        print(f"faces: {sent} sent, {sent - counts['faces']} lost; age {p50:.0f} / {p95:.0f} / {p99:.0f} ms")
        print(f"dropped by devices: {lost.value}; broker: {load:.2f} cores")
        broker.kill()


if __name__ == "__main__":
    main()
