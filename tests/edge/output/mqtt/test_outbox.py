"""What waits for a broker, how long the next attempt is put off, and what is said of it; without a broker."""

import itertools
import logging
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.output.mqtt.backoff import Trouble
from edge.output.mqtt.faults import Fault
from edge.output.mqtt.messages import Message
from edge.output.mqtt.outbox import Outbox
from edge.output.mqtt.throttle import LogThrottle


class Clock:
    def __init__(self):
        self.now_s = 0.0

    def __call__(self):
        return self.now_s


def event(number):
    return Message("event", str(number))


def drained(outbox):
    return [message for _ in range(1000) if (message := outbox.next()) is not None]


def test_the_oldest_goes_first_and_is_counted():
    outbox = Outbox(3)
    outbox.put(event(number) for number in range(10))
    assert outbox.dropped == 7
    assert [message.payload for message in drained(outbox)] == ["7", "8", "9"]


def test_what_is_kept_is_said_on_every_connection_and_only_its_newest():
    outbox = Outbox(10)
    outbox.put([Message("state", "1", retain=True), event(1), Message("state", "2", retain=True)])
    for _ in range(2):
        outbox.connected(Message("status", "online", retain=True))
        said = [(message.topic, message.payload) for message in drained(outbox)]
        assert said[:2] == [("status", "online"), ("state", "2")]
        outbox.lost([])
    assert outbox.dropped == 0


def test_what_is_of_use_at_its_time_only_does_not_wait():
    outbox = Outbox(10)
    outbox.put([Message("faces", "1", qos=0)])
    assert (len(outbox), outbox.dropped) == (0, 1)
    outbox.connected(Message("status", "online", retain=True))
    outbox.put([Message("faces", "2", qos=0), Message("faces", "3", qos=0)])
    assert [message.payload for message in drained(outbox)] == ["online", "3"]
    assert outbox.dropped == 2
    outbox.put([Message("faces", "4", qos=0)])
    outbox.lost([])
    assert (len(outbox), outbox.dropped) == (0, 3)


def test_what_was_on_its_way_comes_again_before_what_waits_and_no_old_state_does():
    outbox = Outbox(10)
    outbox.put(event(number) for number in range(6))
    outbox.connected(Message("status", "online", retain=True))
    outbox.put([Message("state", "old", retain=True)])
    underway = [outbox.next() for _ in range(5)]
    outbox.put([Message("state", "new", retain=True)])
    outbox.lost(message for message in underway if message is not None)
    outbox.connected(Message("status", "online", retain=True))
    assert [message.payload for message in drained(outbox)] == ["online", "new", "0", "1", "2", "3", "4", "5"]


@settings(max_examples=500, deadline=None)
@given(st.lists(st.sampled_from(["event", "state", "faces", "connected", "lost", "next"]), max_size=120))
def test_it_is_bounded_and_loses_nothing_that_it_does_not_count(steps):
    outbox, numbers = Outbox(7), itertools.count()
    underway: list[Message] = []
    put = heard = 0
    up = False
    for step in steps:
        if step == "connected":
            if not up:
                outbox.connected(Message("status", "online", retain=True))
            up = True
        elif step == "lost":
            outbox.lost(underway)
            underway, up = [], False
        elif step == "next":
            message = outbox.next()
            underway += [message] if message is not None and message.topic == "event" else []
            heard += message is not None and message.topic == "faces"
        else:
            retain, qos = step == "state", 0 if step == "faces" else 1
            outbox.put([Message(step, str(next(numbers)), retain, qos)])
            put += not retain
        assert len(outbox) <= 7 + 3
    rest = drained(outbox)
    order = [int(message.payload) for message in [*underway, *rest] if message.topic == "event"]
    assert order == sorted(order)
    heard += sum(message.topic in {"event", "faces"} for message in [*underway, *rest])
    assert put == heard + outbox.dropped


def test_what_happens_often_is_said_seldom_with_a_count():
    clock = Clock()
    seldom = LogThrottle(10.0, clock)
    assert [seldom.due("a"), seldom.due("a"), seldom.due("a"), seldom.due("b")] == [0, None, None, 0]
    clock.now_s = 10.0
    assert [seldom.due("a"), seldom.due("a")] == [2, None]
    seldom.forget()
    assert seldom.due("a") == 0


@pytest.fixture
def lines(caplog):
    caplog.set_level(logging.INFO, "edge.output.mqtt")
    return lambda: [record.getMessage().removeprefix("MQTT broker b: ") for record in caplog.records]


def test_pauses_grow_to_a_minute_and_differ(lines):
    pauses = {}
    for low, seed in itertools.product((0.5, 1.5, None), range(20)):
        spread = random.Random(seed).uniform if low is None else lambda *_, low=low: low
        trouble = Trouble("b", Clock(), spread)
        pauses[low, seed] = [trouble.ended(Fault("gone")) for _ in range(50)]
    assert pauses[0.5, 0][:6] == [1.0, 2.0, 4.0, 8.0, 16.0, 20.0]
    assert pauses[1.5, 0][:6] == [3.0, 6.0, 12.0, 24.0, 48.0, 60.0]
    assert max(max(each) for each in pauses.values()) == 60.0
    assert len({tuple(pauses[None, seed]) for seed in range(20)}) == 20


def test_pauses_begin_anew_once_a_connection_held():
    clock = Clock()
    trouble = Trouble("b", clock, lambda *_: 1.0)
    assert [trouble.ended(Fault("gone")) for _ in range(4)] == [2.0, 4.0, 8.0, 16.0]
    trouble.connected()
    clock.now_s += 29
    assert trouble.ended(Fault("lost")) == 32.0
    trouble.connected()
    clock.now_s += 30
    assert trouble.ended(Fault("lost")) == 2.0
    trouble.connected()
    clock.now_s += 500
    assert trouble.ended(Fault("a rival", rival=True)) == 40.0


def test_a_long_absence_is_said_once_an_hour(lines):
    clock = Clock()
    trouble = Trouble("b", clock)
    for _ in range(2 * 60):
        trouble.ended(Fault("cannot be reached"))
        clock.now_s += 60.0
    trouble.connected()
    assert lines() == [
        "cannot be reached; trying again",
        "cannot be reached (59 times more in the last hour); trying again",
        "connected again, after 7200 s",
    ]


def test_another_reason_is_said_too(lines):
    trouble = Trouble("b", Clock())
    for text in ("its name is not known?", "cannot be reached", "its name is not known?", "refuses"):
        trouble.ended(Fault(text, refused=text == "refuses"))
    assert lines() == [
        "its name is not known? Trying again",
        "cannot be reached; trying again",
        "refuses; trying again",
    ]


def test_what_comes_and_goes_is_said_three_times_and_again_once_it_holds(lines):
    clock = Clock()
    trouble = Trouble("b", clock)
    for number in range(20):
        trouble.connected()
        clock.now_s += 5
        trouble.holds()
        trouble.ended(Fault("lost" if number < 3 else f"lost {number}", again="is there another?"))
    three = [
        "connected",
        "lost; trying again",
        "connected again, after 0 s",
        "lost; trying again",
        "connected again, after 0 s",
        "lost; it comes and goes, of which no more is said for now; is there another? Trying again",
    ]
    assert lines() == three
    trouble.connected()
    clock.now_s += 119
    trouble.holds()
    assert lines() == three
    clock.now_s += 1
    trouble.holds()
    trouble.holds()
    assert lines() == [*three, "connected again, after 205 s"]
    trouble.ended(Fault("lost"))
    assert lines()[-1] == "lost; trying again"
