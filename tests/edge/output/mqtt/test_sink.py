"""Reports on a real broker, received by a client that shares no code with the package."""

import signal
import subprocess
import sys

import pytest

from edge.types import Box
from tests.support.broker import needs_mosquitto, payload_of, retained_on

pytestmark = needs_mosquitto

NEAR = Box(100, 60, 80, 80)


def without_stamp(payload):
    """Returns the other fields of a payload; `clock` is there only where this machine's is not set."""
    assert payload.keys() >= {"at", "run", "seq"}
    return {name: value for name, value in payload.items() if name not in {"at", "run", "seq", "clock"}}


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_every_topic_with_its_retained_flag(broker, listener, sink_on, frame_and_report, version):
    sink = sink_on(broker.port, version=version)
    listener.wait_topic("emotiny/kitchen/status", "online")
    sink.send(*frame_and_report(1, NEAR))
    state = listener.wait(lambda m: m.topic == "emotiny/kitchen/state" and payload_of(m)["faces"] == 1)
    assert without_stamp(payload_of(state)) == {
        "v": 1,
        "faces": 1,
        "presence": "ON",
        "emotion": "happy",
        "gender": "female",
    }
    faces = payload_of(listener.wait_topic("emotiny/kitchen/faces"))
    assert faces["v"] == 1
    assert faces["faces"][0]["box"] == [100, 60, 80, 80]
    event = payload_of(listener.wait_topic("emotiny/kitchen/event"))
    key = f"{event['run']}-{event['seq']}"
    assert without_stamp(event) == {
        "v": 1,
        "key": key,
        "event_type": "appeared",
        "event": "appeared",
        "id": 1,
        "for_s": 0.0,
        "emotion": "happy",
        "gender": "female",
    }
    stats = payload_of(listener.wait_topic("emotiny/kitchen/stats"))
    assert {"fps", "dropped", "temperature", "throttled", "unsent", "lost"} <= stats.keys()
    listener.wait_topic("emotiny/kitchen/camera", "online")
    listener.wait_topic("emotiny/kitchen/enabled/state", "ON")
    listener.wait_topic("homeassistant/device/emotiny_kitchen/config")
    retained = retained_on(broker.port)
    assert retained.keys() == {
        *(f"emotiny/kitchen/{name}" for name in ("status", "camera", "state", "enabled/state", "aim")),
        "homeassistant/device/emotiny_kitchen/config",
    }
    assert all(message.qos == 1 for message in retained.values())


def test_a_closed_sink_is_offline_and_nobody_is_present(broker, listener, sink_on, frame_and_report):
    sink = sink_on(broker.port)
    listener.wait_topic("emotiny/kitchen/status", "online")
    sink.send(*frame_and_report(1, NEAR))
    sink.close()
    listener.wait_topic("emotiny/kitchen/status", "offline")
    listener.wait_topic("emotiny/kitchen/camera", "offline")
    topics = [m.topic for m in listener.received]
    # Home Assistant shows nothing that comes from a device that is offline.
    assert topics[-1] == "emotiny/kitchen/status"
    assert topics.count("emotiny/kitchen/event") == 2
    # A second client of this name connects only after the broker is done with the first one, will included.
    sink_on(broker.port)
    listener.wait(
        lambda m: (
            m.topic.endswith("/status")
            and sum(
                each.topic.endswith("/status") and each.payload == b"online" for each in listener.received
            )
            == 2
        )
    )
    assert (
        sum(m.topic == "emotiny/kitchen/status" and m.payload == b"offline" for m in listener.received) == 1
    )
    assert (
        payload_of(listener.wait(lambda m: m.topic.endswith("/event") and payload_of(m)["event"] == "left"))[
            "id"
        ]
        == 1
    )
    assert (
        payload_of(
            [m for m in listener.received if m.topic.endswith("/state") and b"faces" in m.payload][-1]
        )["faces"]
        == 0
    )


def test_the_page_for_aiming_is_announced_while_it_is_open(broker, listener, sink_on):
    sink = sink_on(broker.port, aiming=True)
    listener.wait_topic("emotiny/kitchen/status", "online")
    assert retained_on(broker.port)["emotiny/kitchen/aim"].payload == b"ON"
    sink.close()
    listener.wait_topic("emotiny/kitchen/status", "offline")
    words = [m.payload for m in listener.received if m.topic == "emotiny/kitchen/aim"]
    assert words == [b"ON", b"OFF"]
    assert retained_on(broker.port)["emotiny/kitchen/aim"].payload == b"OFF"


def test_the_camera_is_online_while_reading_is_switched_off(broker, listener, sink_on):
    sink = sink_on(broker.port)
    listener.wait_topic("emotiny/kitchen/status", "online")
    for _ in range(3):
        sink.idle("off")
    listener.wait_topic("emotiny/kitchen/camera", "online")
    sink.set_reading(on=False)
    listener.wait_topic("emotiny/kitchen/enabled/state", "OFF")
    words = [m.payload for m in listener.received if m.topic == "emotiny/kitchen/camera"]
    assert words == [b"offline", b"online"]  # at first nobody knows
    listener.clear()
    sink.idle("gone")
    listener.wait_topic("emotiny/kitchen/camera", "offline")
    listener.clear()
    sink.idle("off")
    listener.wait_topic("emotiny/kitchen/camera", "online")


def test_a_frame_that_was_in_work_when_reading_was_switched_off_is_not_published(
    broker, listener, sink_on, frame_and_report
):
    sink = sink_on(broker.port)
    listener.wait_topic("emotiny/kitchen/status", "online")
    listener.client.publish("emotiny/kitchen/enabled/set", b"OFF", 1)
    listener.wait_topic("emotiny/kitchen/enabled/state", "OFF")
    listener.clear()
    sink.send(*frame_and_report(1, NEAR))
    listener.wait_topic("emotiny/kitchen/camera", "online")
    listener.client.publish("emotiny/kitchen/enabled/set", b"ON", 1)
    listener.wait_topic("emotiny/kitchen/enabled/state", "ON")
    assert not [m.topic for m in listener.received if m.topic.endswith(("/event", "/faces", "/stats"))]
    sink.send(*frame_and_report(2, NEAR))
    assert payload_of(listener.wait_topic("emotiny/kitchen/event"))["event"] == "appeared"


@pytest.mark.parametrize("prefix", ["homeassistant", "elsewhere"])
def test_home_assistant_s_birth_message_is_answered(broker, listener, sink_on, frame_and_report, prefix):
    sink = sink_on(broker.port, discovery=prefix)
    config = listener.wait_topic(f"{prefix}/device/emotiny_kitchen/config")
    payload = payload_of(config)
    assert payload["dev"]["ids"] == ["emotiny_kitchen"]
    assert {part["p"] for part in payload["cmps"].values()} == {
        *("sensor", "binary_sensor", "event", "switch")
    }
    sink.send(*frame_and_report(1, NEAR))
    listener.wait(lambda m: m.topic == "emotiny/kitchen/state" and payload_of(m)["faces"] == 1)
    for name in ("status", "event", "faces", "stats"):
        listener.wait_topic(f"emotiny/kitchen/{name}")
    listener.clear()
    # Its topic does not follow the prefix of discovery.
    listener.client.publish("homeassistant/status", "online", 1)
    listener.wait_topic("emotiny/kitchen/status", "online")
    topics = [m.topic for m in listener.received if m.topic != "homeassistant/status"]
    assert topics[0] == f"{prefix}/device/emotiny_kitchen/config"
    names = ("camera", "state", "enabled/state", "aim", "status")
    assert sorted(topics[1:]) == sorted(f"emotiny/kitchen/{name}" for name in names)
    assert payload_of(listener.wait_topic("emotiny/kitchen/state"))["faces"] == 1
    assert listener.wait_topic("emotiny/kitchen/camera").payload == b"online"


def test_the_last_will_after_sigkill(broker, listener, models):
    command = [
        *(sys.executable, "-m", "edge", "run", "--source", "demo", "--mqtt-host", "127.0.0.1"),
        *("--mqtt-port", str(broker.port), "--mqtt-device", "hall", "--log-level", "error"),
        *("--emotion-model", str(models / "tiny_emotion.json")),
        *("--gender-model", str(models / "tiny_gender.json")),
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        listener.wait_topic("emotiny/hall/status", "online")
        listener.wait_topic("emotiny/hall/camera", "online")
        assert payload_of(
            listener.wait(lambda m: m.topic == "emotiny/hall/state" and payload_of(m)["faces"] > 0)
        )
        process.send_signal(signal.SIGKILL)
        listener.wait_topic("emotiny/hall/status", "offline")
    finally:
        process.kill()
        process.communicate()
