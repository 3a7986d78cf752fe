"""Time, run and number of messages: made, carried by a real broker, and after a connection was lost."""

import re
import threading
from datetime import datetime, timedelta, timezone

import pytest
from paho.mqtt.enums import MQTTProtocolVersion

from edge.output.mqtt.settings import MqttSettings
from edge.output.mqtt.sink import MqttSink
from edge.output.mqtt.stamp import Stamper
from edge.types import Box
from tests.support.broker import LIMIT_S, Listener, needs_mosquitto, payload_of, wait_until
from tests.support.reports import with_new_ids
from tests.support.short_delays import ShortDelays, ShortKeepalive

NEAR = Box(100, 60, 80, 80)
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def time_of(payload):
    return datetime.fromisoformat(payload["at"].replace("Z", "+00:00"))


class Gate(ShortDelays):
    """Delays of which the first lasts until the test opens the gate."""

    def __init__(self) -> None:
        super().__init__()
        self.opened = threading.Event()

    def disconnected(self, **more):
        assert self.opened.wait(LIMIT_S)
        return super().disconnected(**more)


def test_a_stamp_has_the_time_in_utc_and_counts_each_topic():
    at = datetime(2026, 3, 1, 12, 0, 0, 7000, timezone.utc)
    stamper = Stamper(lambda: at, lambda: "synchronized")
    first, other, second = stamper.stamp("event"), stamper.stamp("state"), stamper.stamp("event")
    assert first.fields() == {"at": "2026-03-01T12:00:00.007Z", "run": first.run, "seq": 1}
    assert (other.seq, second.seq, second.key) == (1, 2, f"{first.run}-2")
    assert RFC_3339.fullmatch(first.at)


@pytest.mark.parametrize("state", ["unsynchronized", "unknown"])
def test_a_clock_that_may_be_wrong_is_named(state):
    assert Stamper(clock=lambda: state).stamp("event").fields()["clock"] == state


def test_two_runs_have_two_names():
    assert Stamper().stamp("event").run != Stamper().stamp("event").run


def test_two_threads_get_no_number_twice():
    stamper, numbers = Stamper(clock=lambda: "synchronized"), []
    begin = threading.Barrier(4)

    def take():
        begin.wait()
        numbers.extend([stamper.stamp("event").seq for _ in range(2000)])

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers) == list(range(1, 8001))


@needs_mosquitto
def test_every_message_says_when_it_was_made_and_by_which_run(broker, sink_on, frame_and_report):
    listener = Listener(broker.port, version=MQTTProtocolVersion.MQTTv5)
    before = datetime.now(timezone.utc) - timedelta(milliseconds=1)  # times are cut off to milliseconds
    sink = sink_on(broker.port)
    listener.wait_topic("emotiny/kitchen/status", "online")
    sink.send(*frame_and_report(1, NEAR))
    for name in ("event", "faces", "stats"):
        listener.wait_topic(f"emotiny/kitchen/{name}")
    sink.close()
    listener.wait_topic("emotiny/kitchen/status", "offline")
    messages = [m for m in listener.received if m.topic.startswith("emotiny/kitchen/")]
    assert {m.topic.removeprefix("emotiny/kitchen/") for m in messages} == {
        *("status", "camera", "state", "enabled/state", "aim", "faces", "event", "stats")
    }
    runs = set()
    for message in messages:
        # Words stay words, which Home Assistant compares as a whole; MQTT 5 carries their stamp beside them.
        is_word = message.payload in {b"online", b"offline", b"ON", b"OFF"}
        stamp = dict(vars(message.properties)["UserProperty"]) if is_word else payload_of(message)
        assert before <= time_of(stamp) <= datetime.now(timezone.utc)
        runs.add(stamp["run"])
        assert int(stamp["seq"]) >= 1
    assert len(runs) == 1
    listener.close()


@needs_mosquitto
@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_events_of_a_time_without_a_broker_come_in_order_with_the_time_at_which_they_happened(
    broker, frame_and_report, version
):
    gate = Gate()
    sink = MqttSink(
        MqttSettings(
            host="127.0.0.1", port=broker.port, device="kitchen", interval_s=0.0, version=version, queue=50
        ),
        backoff=gate,
    )
    listener = Listener(broker.port)
    listener.wait_topic("emotiny/kitchen/status", "online")
    sink.send(*with_new_ids(0, *frame_and_report(0, NEAR)))
    first = payload_of(listener.wait_topic("emotiny/kitchen/event"))
    listener.close()
    broker.kill()
    begun = datetime.now(timezone.utc)
    pause = threading.Event()
    for number in range(1, 31):
        sink.send(*with_new_ids(number, *frame_and_report(number, NEAR)))
        pause.wait(0.1)
    ended = datetime.now(timezone.utc)
    broker.start()
    listener = Listener(broker.port)
    gate.opened.set()

    def later_events():
        events = [payload_of(m) for m in listener.received if m.topic.endswith("/event")]
        # The broker may have been killed before it acknowledged the first one: it then comes once more.
        return [event for event in events if event["key"] != first["key"]]

    wait_until(lambda: len(later_events()) >= 30)
    arrived = datetime.now(timezone.utc)
    sink.close()
    listener.close()
    events = later_events()
    appeared = [event for event in events if event["event"] == "appeared"]
    assert [event["id"] for event in appeared] == list(range(1, 31))
    assert [event["seq"] for event in events] == sorted({event["seq"] for event in events})
    assert len({event["key"] for event in events}) == len(events)
    assert {event["run"] for event in events} == {first["run"]}
    times = [time_of(event) for event in appeared]
    assert times == sorted(set(times))
    # They did not happen when they arrived.
    assert begun - timedelta(milliseconds=1) <= times[0]
    assert times[-1] <= ended < arrived
    assert times[-1] - times[0] >= timedelta(seconds=29 * 0.1)


@needs_mosquitto
def test_dropped_events_are_a_gap_in_the_numbers(broker, listener, sink_on, frame_and_report):
    gate = Gate()
    sink = sink_on(broker.port, backoff=gate, queue=10)
    listener.wait_topic("emotiny/kitchen/status", "online")
    broker.kill()
    for number in range(25):
        sink.send(*with_new_ids(number, *frame_and_report(number, NEAR)))
    broker.start()
    again = Listener(broker.port)
    gate.opened.set()
    last = again.wait(lambda m: m.topic.endswith("/event") and payload_of(m)["id"] == 24)
    events = [payload_of(m) for m in again.received if m.topic.endswith("/event")]
    assert [event["seq"] for event in events] == list(range(16, 26))
    assert payload_of(last)["seq"] == 25
    again.close()


@needs_mosquitto
def test_after_lost_acknowledgements_one_event_comes_twice_in_a_row(broker, proxy, sink_on, frame_and_report):
    sink = sink_on(proxy.port, backoff=ShortDelays(), settings_class=ShortKeepalive)
    listener = Listener(broker.port, "emotiny/kitchen/event", "emotiny/kitchen/status")
    listener.wait_topic("emotiny/kitchen/status", "online")
    listener.clear()
    proxy.mute()
    for number in range(30):
        sink.send(*with_new_ids(number, *frame_and_report(number, NEAR)))
    listener.wait_topic("emotiny/kitchen/event")  # the broker has it, and its acknowledgement is lost
    listener.wait(lambda m: m.topic.endswith("/event") and payload_of(m)["id"] == 29)
    events = [payload_of(m) for m in listener.received if m.topic.endswith("/event")]
    assert [event["seq"] for event in events] == [1, *range(1, 31)]
    assert events[0] == events[1]
    listener.close()
