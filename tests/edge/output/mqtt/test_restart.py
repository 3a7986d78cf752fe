"""What an earlier run left on the broker is set right before the device says that it is online."""

import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager

import pytest

from tests.support.broker import LIMIT_S, needs_mosquitto, payload_of, retained_on, wait_until
from tests.support.scripted_server import DISCONNECT, PUBLISH, receive_packet, topic_and_number

pytestmark = needs_mosquitto

# What a run that saw two people leaves.
STALE = {
    "status": b"online",
    "camera": b"online",
    "state": b'{"v":1,"faces":2,"presence":"ON","emotion":"happy","gender":"female"}',
    "enabled/state": b"OFF",
    "aim": b"ON",
}


@contextmanager
def program(models, port, *options):
    """Runs the real program as the device "hall", and kills it."""
    command = [
        *(sys.executable, "-m", "edge", "run", "--mqtt-host", "127.0.0.1", "--mqtt-port", str(port)),
        *("--mqtt-device", "hall", "--log-level", "error", "--config", os.devnull, *options),
        *("--emotion-model", str(models / "tiny_emotion.json")),
        *("--gender-model", str(models / "tiny_gender.json")),
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def is_state_of(faces):
    return lambda m: m.topic == "emotiny/hall/state" and payload_of(m)["faces"] == faces


def names_of(messages):
    return [message.topic.split("/", 2)[2] for message in messages if message.topic.startswith("emotiny/")]


def test_after_sigkill_with_people_in_view_a_start_without_a_camera_says_that_nobody_is_there(
    broker, listener, models
):
    with program(models, broker.port, "--source", "demo") as process:
        listener.wait(lambda m: m.topic == "emotiny/hall/state" and payload_of(m)["faces"] > 0)
        first = payload_of(listener.wait(lambda m: m.topic == "emotiny/hall/event"))
        process.send_signal(signal.SIGKILL)
        listener.wait_topic("emotiny/hall/status", "offline")
    retained = retained_on(broker.port)
    assert payload_of(retained["emotiny/hall/state"])["presence"] == "ON"
    assert retained["emotiny/hall/camera"].payload == b"online"
    listener.clear()
    with program(models, broker.port, "--source", "/dev/video99", "--reconnect"):
        listener.wait_topic("emotiny/hall/status", "online")
        messages = [m for m in listener.received if m.topic.startswith("emotiny/hall/")]
        assert names_of(messages) == ["camera", "state", "enabled/state", "aim", "status"]
        assert messages[0].payload == b"offline"
        state = payload_of(messages[1])
        assert [state[name] for name in ("faces", "presence", "emotion")] == [0, "OFF", None]
        assert state["run"] != first["run"]
        assert payload_of(retained_on(broker.port)["emotiny/hall/state"])["faces"] == 0


def test_what_a_run_left_that_lost_power_together_with_the_broker(broker, listener, sink_on):
    # No last will was published, so that the old `online` comes back with the rest.
    for name, payload in STALE.items():
        listener.client.publish(f"emotiny/kitchen/{name}", payload, 1, retain=True).wait_for_publish(LIMIT_S)
    listener.wait(lambda m: m.topic == "emotiny/kitchen/aim")
    listener.clear()
    sink_on(broker.port)
    listener.wait_topic("emotiny/kitchen/status", "online")
    messages = [m for m in listener.received if m.topic.startswith("emotiny/")]
    # The camera first: from then on Home Assistant shows the rest as unavailable.
    assert names_of(messages) == ["camera", "state", "enabled/state", "aim", "status"]
    assert [messages[number].payload for number in (0, 2, 3)] == [b"offline", b"ON", b"OFF"]
    assert payload_of(messages[1])["faces"] == 0


def test_events_of_the_time_before_come_after_it_is_online(
    broker, listener, sink_on, frame_and_report, face_box
):
    for _ in range(5):  # the first connection is there after a time that differs
        sink = sink_on(broker.port)
        sink.send(*frame_and_report(1, face_box))
        listener.wait_topic("emotiny/kitchen/event")
        names = names_of([m for m in listener.received if m.topic.startswith("emotiny/")])
        assert set(names[: names.index("event")]) >= {"camera", "state", "enabled/state", "aim", "status"}
        sink.close()
        listener.wait_topic("emotiny/kitchen/status", "offline")
        listener.clear()


def test_a_new_connection_of_the_same_run_says_what_is_true_before_it_is_online(
    broker, listener, sink_on, frame_and_report, face_box, backoff
):
    sink = sink_on(broker.port, backoff=backoff)
    sink.send(*frame_and_report(1, face_box))
    listener.wait(lambda m: m.topic == "emotiny/kitchen/state" and payload_of(m)["faces"] == 1)
    listener.close()
    broker.kill()
    broker.start()  # with nothing retained
    wait_until(lambda: retained_on(broker.port).get("emotiny/kitchen/status"))
    retained = retained_on(broker.port)
    assert retained["emotiny/kitchen/camera"].payload == b"online"
    assert payload_of(retained["emotiny/kitchen/state"])["faces"] == 1


@pytest.mark.parametrize("withheld", ["camera", "state", "enabled/state", "aim"])
def test_a_device_is_not_online_before_the_broker_has_acknowledged_the_rest(server, sink_on, withheld):
    before, after = [], []

    def withhold(connection):
        receive_packet(connection)
        connection.sendall(b"\x20\x02\x00\x00")
        kept = b""
        connection.settimeout(1.0)  # far longer than a device takes that does not wait
        while True:
            try:
                packet = receive_packet(connection)
            except TimeoutError:
                break
            assert packet is not None
            if packet[0] == PUBLISH:
                topic, number = topic_and_number(packet[1])
                before.append(topic)
                if topic.endswith(f"kitchen/{withheld}"):
                    kept = number
                else:
                    connection.sendall(b"\x40\x02" + number)
        connection.sendall(b"\x40\x02" + kept)
        packet = receive_packet(connection)
        assert packet is not None
        after.append(topic_and_number(packet[1])[0])

    sink_on(server(withhold).port, version="3.1.1", discovery="")
    wait_until(lambda: after)
    assert before == [f"emotiny/kitchen/{name}" for name in ("camera", "state", "enabled/state", "aim")]
    assert after == ["emotiny/kitchen/status"]


def test_an_end_that_cannot_be_announced_is_left_to_the_last_will(server, sink_on):
    kinds, ended = [], threading.Event()

    def acknowledge_nothing(connection):
        receive_packet(connection)
        connection.sendall(b"\x20\x02\x00\x00")
        while packet := receive_packet(connection):
            kinds.append(packet[0])
        ended.set()

    sink = sink_on(server(acknowledge_nothing).port, version="3.1.1", discovery="")
    wait_until(lambda: PUBLISH in kinds)
    sink.close()
    assert ended.wait(LIMIT_S)
    assert DISCONNECT not in kinds  # it would make the broker drop the will
